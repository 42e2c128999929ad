//! Amazon S3, Cloudflare R2 and whatever else speaks S3.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::profile::Profile;
use super::{
    Connection, Setting, Source, Variables, client_options, connector, masked, no_retries, remote,
    retry_config, unusable,
};
use crate::store::StoreError;
use crate::store::location::{Location, S3Location, endpoint};

/// A value, and where it came from.
type Found = Option<(String, Source)>;

/// Variables that say where else credentials come from: the client asks there itself.
const OTHER_CREDENTIALS: [&str; 3] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The bucket at `place`. Settings come from the location, then the environment, then a profile.
pub(super) fn connect(place: &S3Location, variables: &Variables) -> Result<Connection, StoreError> {
    let location = Location::S3(place.clone());
    let keys = Keys::find(place, variables)?;
    let endpoint = find_endpoint(place, variables, &keys.profile)?;
    let region = find_region(place, variables, &keys.profile);
    // A server of one's own has no name for each bucket; Amazon wants one.
    let path_style = place.path_style.unwrap_or(endpoint.is_some());
    let mut builder = AmazonS3Builder::new();
    // What else the client knows, e.g. where a container finds its credentials.
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let mut settings = vec![
        Setting {
            name: "endpoint",
            value: endpoint.as_ref().map_or("Amazon's".to_owned(), |(url, _)| url.clone()),
            source: source(&endpoint),
        },
        Setting {
            name: "region",
            value: region.as_ref().map_or("us-east-1".to_owned(), |(region, _)| region.clone()),
            source: source(&region),
        },
        Setting {
            name: "path style",
            value: path_style.to_string(),
            source: if place.path_style.is_some() { Source::Location } else { Source::Default },
        },
    ];
    builder = builder
        .with_bucket_name(&place.bucket)
        .with_region(region.map_or("us-east-1".to_owned(), |(region, _)| region))
        .with_virtual_hosted_style_request(!path_style)
        // Bulk deletion needs checksums that not every server accepts.
        .with_disable_bulk_delete(true)
        .with_skip_signature(place.anonymous)
        .with_retry(retry_config())
        .with_http_connector(connector());
    let mut options = client_options();
    if let Some((url, _)) = &endpoint {
        options = options.with_allow_http(url.starts_with("http://"));
        // In the host's name the bucket is part of the endpoint.
        let url = match url.split_once("://") {
            Some((scheme, host)) if !path_style => format!("{scheme}://{}.{host}", place.bucket),
            _ => url.clone(),
        };
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, &url).with_endpoint(url);
    }
    builder = builder.with_client_options(options);
    if place.anonymous {
        settings.push(Setting {
            name: "credentials",
            value: "none: requests are not signed".to_owned(),
            source: Source::Location,
        });
    } else {
        builder = keys.apply(builder, &mut settings);
    }
    let once = builder.clone().with_retry(no_retries());
    let store = builder.build().map_err(unusable(&location))?;
    let once = once.build().map_err(unusable(&location))?;
    Ok(remote(store, once, &place.prefix, settings))
}

/// The keys that sign requests.
#[derive(Debug)]
struct Keys {
    id: Found,
    secret: Found,
    token: Found,
    /// The variable that says where else the client is to ask.
    elsewhere: Option<&'static str>,
    profile: Profile,
}

impl Keys {
    /// From `R2_*` for R2, then `AWS_*`, then a profile. A key without its secret is an error: the
    /// other half would come from another place and not fit.
    fn find(place: &S3Location, variables: &Variables) -> Result<Self, StoreError> {
        let none = || Self {
            id: None,
            secret: None,
            token: None,
            elsewhere: None,
            profile: Profile::default(),
        };
        if place.anonymous {
            return Ok(none());
        }
        let families: &[&str] = if place.r2.is_some() { &["R2", "AWS"] } else { &["AWS"] };
        for family in families {
            let id = variable(variables, &format!("{family}_ACCESS_KEY_ID"));
            let secret = variable(variables, &format!("{family}_SECRET_ACCESS_KEY"));
            match (&id, &secret) {
                (None, None) => {}
                (Some(_), Some(_)) => {
                    let token = variable(variables, &format!("{family}_SESSION_TOKEN"));
                    return Ok(Self { id, secret, token, ..none() });
                }
                _ => {
                    return Err(StoreError::Credentials {
                        reason: format!(
                            "{family}_ACCESS_KEY_ID and {family}_SECRET_ACCESS_KEY go together, and only one is set"
                        ),
                    });
                }
            }
        }
        let elsewhere = OTHER_CREDENTIALS.into_iter().find(|name| variables.contains_key(*name));
        if elsewhere.is_some() && place.r2.is_none() {
            return Ok(Self { elsewhere, ..none() });
        }
        let mut profile = Profile::read(variables)?;
        let (id, secret) = (profile.access_key_id.take(), profile.secret_access_key.take());
        let token = profile.session_token.take();
        if id.is_some() && secret.is_some() {
            return Ok(Self { id, secret, token, elsewhere: None, profile });
        }
        // Only a machine of Amazon's has a service that gives keys; asking for it elsewhere takes
        // long and ends in a riddle.
        if place.r2.is_some() || place.endpoint.is_some() {
            let names = if place.r2.is_some() {
                "R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY"
            } else {
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            };
            return Err(StoreError::Credentials {
                reason: format!("there are no keys for the bucket {}: set {names}", place.bucket),
            });
        }
        Ok(Self { profile, ..none() })
    }

    fn apply(self, mut builder: AmazonS3Builder, settings: &mut Vec<Setting>) -> AmazonS3Builder {
        if let (Some((id, from)), Some((secret, secret_from))) = (self.id, self.secret) {
            settings.push(Setting { name: "access key", value: masked(&id), source: from });
            settings.push(Setting {
                name: "secret key",
                value: "set".to_owned(),
                source: secret_from,
            });
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            if let Some((token, from)) = self.token {
                let value = "set".to_owned();
                settings.push(Setting { name: "session token", value, source: from });
                builder = builder.with_token(token);
            }
        } else {
            let (value, source) = match self.elsewhere {
                Some(name) => ("asked for when needed", Source::Variable(name.to_owned())),
                None => ("asked of the machine's metadata service", Source::Default),
            };
            settings.push(Setting { name: "credentials", value: value.to_owned(), source });
        }
        builder
    }
}

fn find_endpoint(
    place: &S3Location,
    variables: &Variables,
    profile: &Profile,
) -> Result<Found, StoreError> {
    if let Some(url) = &place.endpoint {
        return Ok(Some((url.clone(), Source::Location)));
    }
    if let Some(account) = &place.r2 {
        let host = match &account.jurisdiction {
            Some(jurisdiction) => format!("{}.{jurisdiction}", account.id),
            None => account.id.clone(),
        };
        return Ok(Some((format!("https://{host}.r2.cloudflarestorage.com"), Source::Location)));
    }
    let named = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let found = named
        .iter()
        .find_map(|name| variable(variables, name))
        .or_else(|| profile.endpoint.clone());
    found.map(|(url, source)| Ok((endpoint(&url, &url)?, source))).transpose()
}

fn find_region(place: &S3Location, variables: &Variables, profile: &Profile) -> Found {
    if place.r2.is_some() {
        return Some(("auto".to_owned(), Source::Location));
    }
    let said = place.region.clone().map(|region| (region, Source::Location));
    said.or_else(|| variable(variables, "AWS_REGION"))
        .or_else(|| variable(variables, "AWS_DEFAULT_REGION"))
        .or_else(|| profile.region.clone())
}

fn variable(variables: &Variables, name: &str) -> Found {
    let value = variables.get(name).filter(|value| !value.is_empty())?;
    Some((value.clone(), Source::Variable(name.to_owned())))
}

fn source(found: &Found) -> Source {
    found.as_ref().map_or(Source::Default, |(_, source)| source.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::connect::connect as connect_any;

    fn settings(
        location: &str,
        variables: &[(&str, &str)],
    ) -> Result<Vec<(&'static str, String, String)>, StoreError> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let location = Location::parse(location).unwrap();
        let connection = connect_any(&location, false, &variables.collect())?;
        let tell = |setting: Setting| (setting.name, setting.value, setting.source.to_string());
        Ok(connection.settings.into_iter().map(tell).collect())
    }

    #[test]
    fn r2_needs_its_account_and_keys_only() {
        let keys = [
            ("R2_ACCESS_KEY_ID", "0123456789abcdef"),
            ("R2_SECRET_ACCESS_KEY", "hush"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let found = settings("r2://acc/books/x?jurisdiction=eu", &keys).unwrap();
        assert_eq!(found[0].1, "https://acc.eu.r2.cloudflarestorage.com");
        assert_eq!((found[1].0, found[1].1.as_str()), ("region", "auto"));
        assert_eq!(found[3].1, "…cdef");
        assert_eq!(found[3].2, "the variable R2_ACCESS_KEY_ID");
        assert!(!format!("{found:?}").contains("hush"));
        assert!(!format!("{found:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn the_location_comes_before_the_environment() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "k"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://elsewhere:1"),
        ];
        let found = settings("s3://b?endpoint=http://here:2&region=here", &variables).unwrap();
        assert_eq!((found[0].1.as_str(), found[1].1.as_str()), ("http://here:2", "here"));
        let found = settings("s3://b", &variables).unwrap();
        assert_eq!((found[0].1.as_str(), found[1].1.as_str()), ("http://elsewhere:1", "eu-west-1"));
        assert_eq!(found[2].1, "true");
        assert_eq!(found[0].2, "the variable AWS_ENDPOINT_URL");
    }

    #[test]
    fn missing_and_half_keys_are_told() {
        let half = [("AWS_ACCESS_KEY_ID", "k")];
        for (location, variables, word) in [
            ("s3://b?endpoint=http://x:1", &half[..], "go together"),
            ("s3://b?endpoint=http://x:1", &[], "AWS_ACCESS_KEY_ID"),
            ("r2://acc/b", &[], "R2_ACCESS_KEY_ID"),
            ("s3://b", &[("AWS_PROFILE", "none-such")], "none-such"),
        ] {
            let said = settings(location, variables).unwrap_err().to_string();
            assert!(said.contains(word), "{location}: {said}");
        }
        assert!(settings("s3://b?endpoint=http://x:1&anonymous=true", &[]).is_ok());
    }

    #[test]
    fn profiles_give_keys_region_and_endpoint() {
        let home = tempfile::tempdir().unwrap();
        let aws = home.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        let credentials = "[default]\naws_access_key_id = first\naws_secret_access_key = a\\b/c\n\
                           [work]\naws_access_key_id = second\naws_secret_access_key = s\n";
        std::fs::write(aws.join("credentials"), credentials).unwrap();
        let config = "[default]\nregion = one\n[profile work]\nregion = two\n\
                      endpoint_url = http://work:9\n[profile login]\nsso_session = x\n";
        std::fs::write(aws.join("config"), config).unwrap();
        let home = home.path().to_str().unwrap();
        let found = settings("s3://b", &[("HOME", home)]).unwrap();
        assert_eq!(found[1].1, "one");
        assert!(found[1].2.contains("default"), "{found:?}");
        let found = settings("s3://b", &[("HOME", home), ("AWS_PROFILE", "work")]).unwrap();
        assert_eq!((found[0].1.as_str(), found[1].1.as_str()), ("http://work:9", "two"));
        let said = settings("s3://b", &[("HOME", home), ("AWS_PROFILE", "login")]);
        assert!(said.unwrap_err().to_string().contains("export-credentials"));
    }
}
