//! Google Cloud Storage.

use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as Key;

use super::{
    Connection, Setting, Source, Variables, client_options, connector, no_retries, remote,
    retry_config, unusable,
};
use crate::store::StoreError;

/// The bucket `bucket` at `prefix`; credentials as Google's own tools find them.
pub(super) fn connect(
    bucket: &str,
    prefix: &Key,
    variables: &Variables,
) -> Result<Connection, StoreError> {
    let mut builder = GoogleCloudStorageBuilder::new();
    let mut source = Source::Default;
    if let Some(path) = variables.get("SERVICE_ACCOUNT") {
        builder = builder.with_service_account_path(path);
        source = Source::Variable("SERVICE_ACCOUNT".to_owned());
    }
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("GOOGLE_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
            source = Source::Variable(name.clone());
        }
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_retry(retry_config())
        .with_client_options(client_options())
        .with_http_connector(connector());
    let once = store.clone().with_retry(no_retries());
    let store = store.build().map_err(unusable(format!("gs://{bucket}")))?;
    let once = once.build().map_err(unusable(format!("gs://{bucket}")))?;
    let value = match source {
        Source::Default => "Google's default application credentials",
        _ => "set",
    };
    let settings = vec![Setting { name: "credentials", value: value.to_owned(), source }];
    Ok(remote(store, once, prefix, settings))
}
