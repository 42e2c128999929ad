//! A small HTTP client for tests: one request, the whole answer.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    headers: HeaderMap,
    http: reqwest::Client,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A request being made.
#[derive(Debug)]
pub struct Request {
    builder: reqwest::RequestBuilder,
}

impl Client {
    /// A client of the server at `base`.
    ///
    /// # Panics
    ///
    /// If the machine cannot make connections.
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client can be made");
        Self { base: base.to_owned(), headers: HeaderMap::new(), http }
    }

    /// The same client, sending this header with each request.
    ///
    /// # Panics
    ///
    /// If it is no header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// Begins a request for `path`, which begins with a slash.
    ///
    /// # Panics
    ///
    /// If `method` is none.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("{}{path}", self.base);
        Request { builder: self.http.request(method, url).headers(self.headers.clone()) }
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    /// `PUT path` with a body.
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.request("PUT", path).body(body).send().await
    }

    /// `POST path` with a body of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path).send().await
    }
}

impl Request {
    /// Adds a header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { builder: self.builder.header(name, value) }
    }

    /// Adds a body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { builder: self.builder.body(body.into()) }
    }

    /// Adds a body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sends it and waits for the whole answer.
    ///
    /// # Panics
    ///
    /// If there is none, or it breaks off.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("the server answers")
    }

    /// Sends it and waits for the whole answer, which may not come.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.builder.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }
}

impl Answer {
    /// A header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("no JSON: {error}: {} {}", self.status, self.text()),
        }
    }

    /// The stable code of a problem.
    ///
    /// # Panics
    ///
    /// If the answer is no problem.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        self.json()["code"].as_str().expect("a problem has a code").to_owned()
    }

    /// The same answer, which must have this status.
    ///
    /// # Panics
    ///
    /// If it has another.
    #[expect(clippy::return_self_not_must_use, reason = "often it is all that is asked")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
