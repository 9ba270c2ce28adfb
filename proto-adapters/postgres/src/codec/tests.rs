use super::*;
use frontend::{Bind, Named, Parse};
use proptest::prelude::*;
use report::Report;
use startup::{First, Startup};

fn packet(parameters: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    startup::startup(&mut out, 0, parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    out
}

fn names() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("[a-zA-Z_é]{1,20}", "[^\0]{0,40}"), 0..8)
}

proptest! {
    #[test]
    fn any_chunking_of_a_startup_parses_the_same(parameters in names(), behind in any::<Vec<u8>>()) {
        let packet = packet(&parameters);
        for cut in 0..packet.len() {
            prop_assert!(startup::parse(&packet[..cut]).unwrap().is_none());
        }
        let more = [&packet[..], &behind].concat();
        let (first, taken) = startup::parse(&more).unwrap().unwrap();
        prop_assert_eq!(taken, packet.len());
        match first {
            First::Startup(found) => prop_assert_eq!(found, Startup { minor: 0, parameters }),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in any::<Vec<u8>>()) {
        let _ = startup::parse(&bytes);
        let _ = frame::whole(&bytes, limits::SMALL);
        let _ = frontend::query(&bytes);
        let _ = Parse::read(&bytes).map(|parse| frontend::oids(parse.types).count());
        let _ = Bind::read(&bytes).map(|bind| bind.values.iter().count());
        let _ = frontend::execute(&bytes);
        let _ = frontend::function_call(&bytes);
        let _ = frontend::parameter_description(&bytes).map(<[u8]>::len);
        let _ = Named::read(&bytes);
        let _ = report::read(&bytes);
    }

    #[test]
    fn a_length_is_judged_before_the_rest_arrives(length in any::<i32>(), rest in any::<[u8; 4]>()) {
        let bytes = [&length.to_be_bytes()[..], &rest].concat();
        let in_range = (8..=10_004).contains(&length);
        if !in_range {
            prop_assert!(startup::parse(&bytes).is_err());
        }
    }

    #[test]
    fn bound_values_read_back(
        values in proptest::collection::vec(proptest::option::of(any::<Vec<u8>>()), 0..20),
        binary in any::<bool>(),
    ) {
        let mut body = b"portal\0statement\0\0\x01\0".to_vec();
        body.push(u8::from(binary));
        body.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in &values {
            let length = value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap());
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        body.extend_from_slice(&[0, 0]);
        let bind = Bind::read(&body).unwrap();
        prop_assert_eq!((bind.portal, bind.statement), (&b"portal"[..], &b"statement"[..]));
        let mut kept = Vec::new();
        bind.values.write(&mut kept);
        let again = frontend::Values::read_back(&kept).unwrap();
        let found: Vec<_> = again.iter().map(|(b, value)| (b, value.map(<[u8]>::to_vec))).collect();
        let expected: Vec<_> = values.into_iter().map(|value| (binary, value)).collect();
        prop_assert_eq!(found, expected);
        for cut in 0..body.len() {
            prop_assert!(Bind::read(&body[..cut]).is_err());
        }
    }

    #[test]
    fn an_error_reads_back(message in "[^\0]{0,60}", code in "[0-9A-Z]{5}") {
        let mut out = Vec::new();
        let report = Report { severity: "FATAL", code: &code, message: &message, detail: "", hint: "h" };
        report.error(&mut out);
        let (tag, body, taken) = frame::whole(&out, limits::SMALL).unwrap().unwrap();
        prop_assert_eq!((tag, taken), (backend::ERROR, out.len()));
        let told = report::read(body);
        prop_assert!(told.is_fatal());
        prop_assert_eq!((&*told.code, &*told.message), (&*code, &*message));
    }
}

#[test]
fn an_error_response_without_a_sqlstate_is_read_as_far_as_it_goes() {
    let told = report::read(b"SERROR\0Mno code\0\0");
    assert_eq!((&*told.severity, &*told.code, &*told.message), ("ERROR", "", "no code"));
    assert_eq!(report::read(b"Sunfinished"), report::Told::default());
    assert_eq!(report::read(b""), report::Told::default());
}

#[test]
fn other_versions_are_named() {
    let two = [0, 0, 0, 9, 0, 2, 0, 0, 0];
    assert_eq!(startup::parse(&two).unwrap_err(), startup::Invalid::Version(2, 0));
}

#[test]
fn an_http_request_is_not_a_startup() {
    assert!(startup::parse(b"GET / HTTP/1.1\r\n").is_err());
}

#[test]
fn a_startup_with_bytes_behind_its_end_is_refused() {
    let mut bytes = packet(&[("user".into(), "u".into())]);
    bytes.push(7);
    let length = u8::try_from(bytes.len()).unwrap();
    bytes[3] = length;
    assert!(startup::parse(&bytes).is_err());
}
