use super::*;

const LIMIT: Duration = Duration::from_secs(10);

async fn pair(tap: &Tap, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let (client, accepted) = tokio::join!(TcpStream::connect(tap.address()), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn bytes_of_both_directions_are_kept_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let from: IpAddr = "127.0.0.2".parse().unwrap();
    let tap = Tap::start_from(from, listener.local_addr().unwrap()).await.unwrap();
    let (mut client, mut target) = pair(&tap, &listener).await;
    assert_eq!(target.peer_addr().unwrap().ip(), from);

    let mut buffer = [0; 5];
    client.write_all(b"hello").await.unwrap();
    target.read_exact(&mut buffer).await.unwrap();
    let between = Instant::now();
    target.write_all(b"world").await.unwrap();
    client.read_exact(&mut buffer).await.unwrap();

    assert_eq!(tap.bytes(0, Direction::ToTarget), b"hello");
    assert_eq!(tap.bytes(0, Direction::ToClient), b"world");
    assert_eq!(tap.bytes_after(Direction::ToTarget, between), 0);
    assert_eq!(tap.bytes_after(Direction::ToClient, between), 5);
    assert!(tap.last(Direction::ToClient) > tap.last(Direction::ToTarget));

    drop(target);
    tap.closed(0, Direction::ToClient, LIMIT).await.unwrap();
    assert_eq!(client.read(&mut buffer).await.unwrap(), 0);
}

#[tokio::test]
async fn a_stalled_tap_makes_its_sender_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = Tap::start(listener.local_addr().unwrap()).await.unwrap();
    let (mut client, mut target) = pair(&tap, &listener).await;
    client.write_all(b"a").await.unwrap();
    target.read_exact(&mut [0; 1]).await.unwrap();

    tap.stall(Direction::ToClient);
    target.write_all(b"b").await.unwrap();
    let mut one = [0; 1];
    let passing = client.read(&mut one);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), passing).await.is_err(),
        "it passed while stalled"
    );
    let much = vec![7; 64 << 20];
    let mut sending = JoinSet::new();
    sending.spawn(async move {
        target.write_all(&much).await.unwrap();
        much.len()
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), sending.join_next()).await.is_err());

    tap.resume(Direction::ToClient);
    let mut received = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        received += read;
    }
    assert_eq!(sending.join_next().await.unwrap().unwrap() + 1, received);
}

#[tokio::test]
async fn a_tap_without_contents_keeps_lengths_and_times() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = Tap::without_contents([127, 0, 0, 1].into(), listener.local_addr().unwrap()).await.unwrap();
    let (mut client, mut target) = pair(&tap, &listener).await;
    client.write_all(b"hello").await.unwrap();
    target.read_exact(&mut [0; 5]).await.unwrap();
    assert_eq!((tap.passed(Direction::ToTarget), tap.passed(Direction::ToClient)), (5, 0));
    assert!(tap.bytes(0, Direction::ToTarget).is_empty() && tap.last(Direction::ToTarget).is_some());
}

#[tokio::test]
async fn a_cut_breaks_what_is_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = Tap::start(listener.local_addr().unwrap()).await.unwrap();
    let (mut client, _target) = pair(&tap, &listener).await;
    tap.wait_for("the connection", LIMIT, |events| events.first().map(|_| ())).await.unwrap();
    tap.cut();
    assert!(matches!(client.read(&mut [0; 1]).await, Ok(0) | Err(_)));
}
