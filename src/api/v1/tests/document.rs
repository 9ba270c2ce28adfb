//! The OpenAPI document is docs/openapi.json, and every operation in it answers.

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::api::tests::Gate;
use crate::api::v1::document;
use crate::golden::golden;

#[test]
fn the_openapi_document_is_the_one_that_is_checked_in() {
    golden("docs/openapi.json", document());
}

#[test]
fn every_operation_has_a_summary_and_says_how_it_is_refused() {
    let document: Value = serde_json::from_str(document()).unwrap();
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            seen += 1;
            assert!(operation["summary"].is_string(), "{method} {path}");
            let refusal = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert!(refusal.is_object(), "{method} {path}");
            let anonymous =
                ["/api/v1/ca", "/api/v1/keys", "/api/v1/gate", "/api/v1/openapi.json", "/api/v1/ssh"];
            let open = operation["security"] == serde_json::json!([{}]);
            assert_eq!(open, anonymous.contains(&path.as_str()), "{method} {path}");
        }
    }
    assert!(seen > 30, "{seen}");
    // What is named is there.
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][reference].is_object(), "{reference}");
    }
}

#[tokio::test]
async fn the_gate_serves_the_document_to_anybody() {
    let gate = Gate::alone().await;
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let answer = gate.send(request).await.is(200);
    assert_eq!(answer.text, document());
}
