//! Profiles in AWS's shared files: static keys, region and endpoint.
//!
//! What needs a login or another program (single sign-on, assumed roles) is not done here; the
//! error says how to hand its result over.

use ini::Ini;

use super::{Source, Variables};
use crate::store::StoreError;

/// What a profile says.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) access_key_id: Option<(String, Source)>,
    pub(super) secret_access_key: Option<(String, Source)>,
    pub(super) session_token: Option<(String, Source)>,
    pub(super) region: Option<(String, Source)>,
    pub(super) endpoint: Option<(String, Source)>,
}

impl Profile {
    /// The profile that `AWS_PROFILE` names, or `default` where it exists.
    pub(super) fn read(variables: &Variables) -> Result<Self, StoreError> {
        let asked = variables.get("AWS_PROFILE").filter(|name| !name.is_empty());
        let name = asked.map_or("default", String::as_str);
        let mut profile = Self::default();
        let mut found = false;
        let mut needs_login = false;
        for (variable, file, prefixed) in [
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", false),
            ("AWS_CONFIG_FILE", "config", true),
        ] {
            let path = match (variables.get(variable), variables.get("HOME")) {
                (Some(path), _) => path.clone(),
                (None, Some(home)) => format!("{home}/.aws/{file}"),
                (None, None) => continue,
            };
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let failed = |error: ini::ParseError| {
                StoreError::io(format!("read {path}"))(std::io::Error::other(error.to_string()))
            };
            let ini = Ini::load_from_str_noescape(&text).map_err(failed)?;
            let heading =
                if prefixed && name != "default" { format!("profile {name}") } else { name.into() };
            let Some(section) = ini.section(Some(heading)) else {
                continue;
            };
            found = true;
            needs_login |= ["sso_session", "sso_start_url", "role_arn", "credential_process"]
                .iter()
                .any(|key| section.contains_key(key));
            let source = Source::Profile { name: name.to_owned(), file: path };
            for (slot, key) in [
                (&mut profile.access_key_id, "aws_access_key_id"),
                (&mut profile.secret_access_key, "aws_secret_access_key"),
                (&mut profile.session_token, "aws_session_token"),
                (&mut profile.region, "region"),
                (&mut profile.endpoint, "endpoint_url"),
            ] {
                if slot.is_none() {
                    *slot = section.get(key).map(|value| (value.to_owned(), source.clone()));
                }
            }
        }
        if let (Some(name), false) = (asked, found) {
            return Err(StoreError::Credentials {
                reason: format!(
                    "AWS_PROFILE names {name:?}, and no file of AWS's has this profile"
                ),
            });
        }
        if needs_login && profile.access_key_id.is_none() && asked.is_some() {
            return Err(StoreError::Credentials {
                reason: format!(
                    "the profile {name:?} gets its keys from a login or another program, which is not done here: \
                     hand its result over with `eval \"$(aws configure export-credentials --profile {name} --format env)\"`"
                ),
            });
        }
        Ok(profile)
    }
}
