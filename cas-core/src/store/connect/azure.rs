//! Azure Blob Storage.

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::path::Path as Key;

use super::{
    Connection, Setting, Source, Variables, client_options, connector, no_retries, remote,
    retry_config, unusable,
};
use crate::store::StoreError;

/// The container `container` at `prefix`; account and credentials from `AZURE_*`.
pub(super) fn connect(
    container: &str,
    prefix: &Key,
    variables: &Variables,
) -> Result<Connection, StoreError> {
    let mut builder = MicrosoftAzureBuilder::new();
    let mut settings = Vec::new();
    let mut credentials = Source::Default;
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
        let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() else {
            continue;
        };
        let source = Source::Variable(name.clone());
        if matches!(key, AzureConfigKey::AccountName) {
            settings.push(Setting { name: "account", value: value.clone(), source });
        } else {
            credentials = source;
        }
        builder = builder.with_config(key, value);
    }
    if settings.is_empty() {
        return Err(StoreError::Credentials {
            reason: "the account of an Azure container comes from AZURE_STORAGE_ACCOUNT_NAME, which is not set"
                .to_owned(),
        });
    }
    let value = match credentials {
        Source::Default => "asked of the machine's metadata service",
        _ => "set",
    };
    settings.push(Setting { name: "credentials", value: value.to_owned(), source: credentials });
    let store = builder
        .with_container_name(container)
        .with_retry(retry_config())
        .with_client_options(client_options())
        .with_http_connector(connector());
    let once = store.clone().with_retry(no_retries());
    let store = store.build().map_err(unusable(format!("az://{container}")))?;
    let once = once.build().map_err(unusable(format!("az://{container}")))?;
    Ok(remote(store, once, prefix, settings))
}
