//! TLS with the certificates of `tests/data`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cas_server::{Limits, Settings, Tls};
use cas_tests::raw::Raw;
use cas_tests::server::TestServer;
use object_store::memory::InMemory;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{app, short};

const ASK: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

fn tls(name: &str) -> Tls {
    Tls::load(&data(&format!("{name}-cert.pem")), &data(&format!("{name}-key.pem"))).unwrap()
}

async fn start(tls: Tls, limits: Limits) -> TestServer {
    let settings = Settings { limits, ..Settings::default() };
    TestServer::start_server(app(Arc::new(InMemory::new()), settings).await, Some(tls))
}

/// Asks as a client that trusts this certificate only; the status, if a connection was made.
async fn ask(
    server: &TestServer,
    trusted: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Option<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data(trusted)).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let mut raw = Raw::over(stream);
    raw.send(ASK).await;
    Some(raw.answer().await?.status)
}

#[tokio::test]
async fn speaks_tls_1_2_and_1_3_and_nothing_else() {
    let server = start(tls("tls"), short()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert_eq!(ask(&server, "tls-cert.pem", &[version]).await, Some(200), "{version:?}");
    }
    // A certificate that the client does not trust.
    assert_eq!(ask(&server, "tls-other-cert.pem", rustls::ALL_VERSIONS).await, None);
    // A client without TLS is not answered in the clear.
    let plain = Raw::ask(server.address(), ASK).await;
    assert_eq!(plain, None);
    // One that never shakes hands is hung up on.
    Raw::connect(server.address()).await.hung_up().await;
}

#[tokio::test]
async fn reads_its_certificate_again_and_keeps_the_old_one_if_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let copy = |name: &str| {
        std::fs::copy(data(&format!("{name}-cert.pem")), &certificate).unwrap();
        std::fs::copy(data(&format!("{name}-key.pem")), &key).unwrap();
    };
    copy("tls");
    let tls = Tls::load(&certificate, &key).unwrap();
    let server = start(tls.clone(), short()).await;
    assert_eq!(ask(&server, "tls-cert.pem", rustls::ALL_VERSIONS).await, Some(200));
    copy("tls-other");
    tls.reload().unwrap();
    assert_eq!(ask(&server, "tls-other-cert.pem", rustls::ALL_VERSIONS).await, Some(200));
    assert_eq!(ask(&server, "tls-cert.pem", rustls::ALL_VERSIONS).await, None);
    for bad in ["", "no certificate"] {
        std::fs::write(&certificate, bad).unwrap();
        assert!(tls.reload().is_err());
    }
    // Those of two pairs do not belong together.
    std::fs::copy(data("tls-cert.pem"), &certificate).unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(ask(&server, "tls-other-cert.pem", rustls::ALL_VERSIONS).await, Some(200));
}

#[test]
fn names_the_file_that_cannot_be_used() {
    let missing = data("none.pem");
    let error = Tls::load(&missing, &data("tls-key.pem")).unwrap_err().to_string();
    assert!(error.contains("certificate") && error.contains("none.pem"), "{error}");
    let error = Tls::load(&data("tls-cert.pem"), &missing).unwrap_err().to_string();
    assert!(error.contains("private key") && error.contains("none.pem"), "{error}");
}
