//! Where a store is: a folder, memory, a prefix in a bucket, or behind a server; written as a path
//! or a URL.
//!
//! A location never holds credentials: they come from the environment, so that a location can be
//! logged, shown and kept in scripts. One that has them is refused without repeating it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use object_store::path::Path as Key;
use percent_encoding::percent_decode_str;
use url::Url;

use super::StoreError;

/// Longest prefix of a store in a bucket, in bytes: S3's keys have at most 1,024, and the longest
/// key below a prefix has fewer than 400.
const PREFIX_BYTES: usize = 512;

/// A place for a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of a disk.
    Folder(PathBuf),
    /// The memory of this process: gone when it ends.
    Memory,
    /// What a server of stores serves, by the address of that server: `http://` or `https://`, a
    /// host and perhaps a path, without a slash at the end.
    Http(String),
    /// A bucket of S3 or of anything that speaks S3.
    S3(S3Location),
    /// A bucket of Google Cloud Storage.
    Gcs {
        /// The bucket.
        bucket: String,
        /// Where in it.
        prefix: Key,
    },
    /// A container of Azure Blob Storage; the account comes from the environment.
    Azure {
        /// The container.
        container: String,
        /// Where in it.
        prefix: Key,
    },
}

/// A place in a bucket that is spoken to in S3's protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// Where in it.
    pub prefix: Key,
    /// The Cloudflare account, for `r2://`: its endpoint follows from it.
    pub r2: Option<R2Account>,
    /// The server, as `https://host`; where none is said, the environment's or Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Whether the bucket stands in the path rather than in the host's name.
    pub path_style: Option<bool>,
    /// Whether requests go unsigned, as to a bucket that anybody may read.
    pub anonymous: bool,
}

/// A Cloudflare account that has R2 buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct R2Account {
    /// The account's id: 32 hex digits.
    pub id: String,
    /// The jurisdiction of its buckets, e.g. `eu`.
    pub jurisdiction: Option<String>,
}

impl Location {
    /// Reads what a user gave: a path, or a URL with a scheme that is known here.
    ///
    /// A single-letter scheme is no Windows drive here; `C:\x` is a path.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if text.is_empty() {
            return Err(bad(text, "a location is not empty"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text {
                "memory:" => Ok(Self::Memory),
                _ => Ok(Self::Folder(text.into())),
            };
        };
        match scheme {
            "file" if rest.starts_with('/') => Ok(Self::Folder(file_path(text)?)),
            "file" => Err(bad(text, "a file URL holds an absolute path, as in file:///var/books")),
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "memory" => Err(bad(text, "a store in memory has no name: memory://")),
            "http" | "https" => server(text).map(Self::Http),
            "s3" | "r2" | "gs" | "az" => Self::bucket(text),
            _ => Err(bad(
                text,
                "a store is a path or a URL with file, http, https, s3, r2, gs, az or memory before ://",
            )),
        }
    }

    fn bucket(text: &str) -> Result<Self, StoreError> {
        let url = Url::parse(text).map_err(|_| bad(text, "it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            let rule = "a location holds no credentials: put them into the environment";
            return Err(bad(&format!("{}://…", url.scheme()), rule));
        }
        if url.fragment().is_some() || url.port().is_some() {
            return Err(bad(text, "it has no port and no #; say ?endpoint=http://HOST:PORT"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut segments: Vec<String> = Vec::new();
        for segment in url.path().split('/').filter(|segment| !segment.is_empty()) {
            let decoded = percent_decoded(segment).ok_or_else(|| bad(text, "it is not UTF-8"))?;
            segments.push(decoded);
        }
        let scheme = url.scheme();
        let bucket_is_missing = || match scheme {
            "r2" => bad(text, "an R2 location is r2://ACCOUNT/BUCKET[/PREFIX]"),
            "az" => bad(text, "an Azure location is az://CONTAINER[/PREFIX]"),
            _ => bad(text, "a bucket's location is s3://BUCKET[/PREFIX]"),
        };
        if host.is_empty() {
            return Err(bucket_is_missing());
        }
        let bucket = match scheme {
            "r2" if segments.is_empty() => return Err(bucket_is_missing()),
            "r2" => segments.remove(0),
            _ => host.clone(),
        };
        if scheme == "r2" && !is_plain(&bucket) {
            return Err(bad(text, "a bucket's name has only letters, digits and - _ ."));
        }
        let prefix = prefix(text, &segments)?;
        let mut options = Options::default();
        for (name, value) in url.query_pairs() {
            options.set(text, scheme, &name, &value)?;
        }
        Ok(match scheme {
            "gs" => Self::Gcs { bucket, prefix },
            "az" => Self::Azure { container: bucket, prefix },
            _ => {
                let r2 = (scheme == "r2")
                    .then_some(R2Account { id: host, jurisdiction: options.jurisdiction });
                Self::S3(S3Location {
                    bucket,
                    prefix,
                    r2,
                    endpoint: options.endpoint,
                    region: options.region,
                    path_style: options.path_style,
                    anonymous: options.anonymous,
                })
            }
        })
    }

    /// The folder, if the store is one.
    pub fn as_folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(path) => Some(path),
            _ => None,
        }
    }

    /// Where in the bucket the store is; the root for a folder.
    pub fn prefix(&self) -> Key {
        match self {
            Self::Folder(_) | Self::Memory | Self::Http(_) => Key::default(),
            Self::S3(place) => place.prefix.clone(),
            Self::Gcs { prefix, .. } | Self::Azure { prefix, .. } => prefix.clone(),
        }
    }

    /// Whether every request crosses a network.
    pub const fn is_remote(&self) -> bool {
        !matches!(self, Self::Folder(_) | Self::Memory)
    }
}

/// What stands behind the `?`.
#[derive(Debug, Default)]
struct Options {
    endpoint: Option<String>,
    region: Option<String>,
    jurisdiction: Option<String>,
    path_style: Option<bool>,
    anonymous: bool,
}

impl Options {
    fn set(&mut self, text: &str, scheme: &str, name: &str, value: &str) -> Result<(), StoreError> {
        let truth = || match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(bad(text, "path_style and anonymous are true or false")),
        };
        match (scheme, name) {
            ("s3" | "r2", "endpoint") => self.endpoint = Some(endpoint(text, value)?),
            ("s3", "region") if is_plain(value) => self.region = Some(value.to_owned()),
            ("s3", "region") => {
                return Err(bad("…", "a region has only letters, digits and - _ ."));
            }
            ("r2", "jurisdiction") if value.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                self.jurisdiction = Some(value.to_owned());
            }
            ("s3", "path_style") => self.path_style = Some(truth()?),
            ("s3" | "r2", "anonymous") => self.anonymous = truth()?,
            ("s3", _) => {
                return Err(bad(
                    text,
                    "behind ? may stand endpoint, region, path_style and anonymous",
                ));
            }
            ("r2", _) => {
                return Err(bad(text, "behind ? may stand endpoint, jurisdiction and anonymous"));
            }
            _ => return Err(bad(text, "nothing may stand behind ? here")),
        }
        Ok(())
    }
}

/// Whether a name is one that means itself wherever it is written, also in a URL or a terminal.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && name.bytes().all(plain)
}

/// A server's address: scheme, host and port, without anything behind them.
pub(super) fn endpoint(text: &str, value: &str) -> Result<String, StoreError> {
    let rule = "an endpoint is http://HOST[:PORT] or https://HOST[:PORT], without credentials";
    let url = Url::parse(value).map_err(|_| bad(text, rule))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("…", rule));
    }
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !bare {
        return Err(bad(text, rule));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The address of a server of stores.
fn server(text: &str) -> Result<String, StoreError> {
    let rule = "a server is http://HOST[:PORT][/BASE] or https://HOST[:PORT][/BASE]";
    let url = Url::parse(text).map_err(|_| bad(text, rule))?;
    if !url.username().is_empty() || url.password().is_some() {
        let rule = "a location holds no credentials: put the token into CAS_TOKEN";
        return Err(bad(&format!("{}://…", url.scheme()), rule));
    }
    if url.host_str().is_none() || url.query().is_some() || url.fragment().is_some() {
        return Err(bad(text, rule));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn prefix(text: &str, segments: &[String]) -> Result<Key, StoreError> {
    let joined = segments.join("/");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~!$&'()+,;=@".contains(c);
    let fits = segments
        .iter()
        .all(|segment| !matches!(segment.as_str(), "." | "..") && segment.chars().all(plain));
    if !fits || joined.len() > PREFIX_BYTES {
        return Err(bad(
            text,
            "a prefix has at most 512 bytes of letters, digits and -_.~!$&'()+,;=@ between its slashes",
        ));
    }
    Key::parse(joined).map_err(|_| bad(text, "it is no prefix of keys"))
}

/// The path of a `file://` URL.
fn file_path(text: &str) -> Result<PathBuf, StoreError> {
    // As text: a path is what the user typed, not what a URL parser makes of `..` or of spaces.
    let path = text.strip_prefix("file://").unwrap_or(text);
    match percent_decoded(path) {
        Some(path) => Ok(path.into()),
        None => Err(bad(text, "it is not UTF-8")),
    }
}

/// `None` if it is not UTF-8. A `%` that begins no two digits stands for itself.
fn percent_decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

pub(super) fn bad(location: &str, rule: &'static str) -> StoreError {
    StoreError::BadLocation { location: location.to_owned(), rule }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |f: &mut fmt::Formatter<'_>, scheme: &str, bucket: &str, prefix: &Key| {
            write!(f, "{scheme}://{bucket}")?;
            if prefix.as_ref().is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
        };
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Memory => f.write_str("memory://"),
            Self::Http(url) => f.write_str(url),
            Self::Gcs { bucket, prefix } => place(f, "gs", bucket, prefix),
            Self::Azure { container, prefix } => place(f, "az", container, prefix),
            Self::S3(S3Location {
                bucket,
                prefix,
                r2,
                endpoint,
                region,
                path_style,
                anonymous,
            }) => {
                match r2 {
                    Some(account) => place(f, "r2", &format!("{}/{bucket}", account.id), prefix)?,
                    None => place(f, "s3", bucket, prefix)?,
                }
                let jurisdiction = r2.as_ref().and_then(|account| account.jurisdiction.clone());
                let options = [
                    ("endpoint", endpoint.clone()),
                    ("region", region.clone()),
                    ("jurisdiction", jurisdiction),
                    ("path_style", path_style.map(|style| style.to_string())),
                    ("anonymous", anonymous.then(|| "true".to_owned())),
                ];
                let mut mark = '?';
                for (name, value) in options {
                    if let Some(value) = value {
                        write!(f, "{mark}{name}={value}")?;
                        mark = '&';
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(text: &str) -> S3Location {
        match Location::parse(text).unwrap() {
            Location::S3(place) => place,
            other => panic!("{other:?} is no S3 location"),
        }
    }

    #[test]
    fn reads_paths_and_urls_and_writes_them_again() {
        assert_eq!(Location::parse("a/b").unwrap(), Location::Folder("a/b".into()));
        assert_eq!(Location::parse("file:///a/b").unwrap(), Location::Folder("/a/b".into()));
        assert_eq!(Location::parse("file:///a%20b").unwrap(), Location::Folder("/a b".into()));
        assert_eq!(Location::parse("memory://").unwrap(), Location::Memory);
        for same in [
            "s3://books",
            "s3://books/a/b",
            "s3://books/a?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=false",
            "s3://books?anonymous=true",
            "r2://0123456789abcdef0123456789abcdef/books/a",
            "r2://0123456789abcdef0123456789abcdef/books?jurisdiction=eu",
            "gs://books/a",
            "az://books",
            "memory://",
            "http://127.0.0.1:8080",
            "https://books.example.org/cas",
        ] {
            assert_eq!(Location::parse(same).unwrap().to_string(), same);
        }
        let place = s3("s3://books/a/?endpoint=https%3A%2F%2Fs3.example.org%2F");
        assert_eq!(place.endpoint.as_deref(), Some("https://s3.example.org"));
        assert_eq!((place.bucket.as_str(), place.prefix.as_ref()), ("books", "a"));
        let server = Location::parse("http://Books.example.org:80/a/../b/").unwrap();
        assert_eq!(server, Location::Http("http://books.example.org/b".to_owned()));
        assert!(server.is_remote());
        let place = s3("r2://acc/books/x/y");
        assert_eq!((place.bucket.as_str(), place.prefix.as_ref()), ("books", "x/y"));
        assert_eq!(place.r2.unwrap().id, "acc");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in [
            "",
            "file://a",
            "ftp://x/y",
            "s3://",
            "s3:///prefix",
            "r2://account",
            "s3://b?endpoint=host:9000",
            "s3://b?endpoint=http://host/path",
            "s3://b?colour=blue",
            "s3://b?path_style=maybe",
            "gs://b?region=x",
            "s3://b/a//../c%2e%2e/..",
            "s3://b/a%20b",
            "s3://b:9000/x",
            "s3://b?region=",
            "s3://b?region=eu%1b[2J",
            "s3://b?region=eu%26anonymous=true",
            "r2://account/b%20c",
            "memory://x",
            "http://",
            "https://host/?x=y",
            "https://host/#x",
        ] {
            let refused = Location::parse(text);
            // The URL's own rules remove `..` that stand plain; what is left must be clean.
            if text.contains("..") {
                assert!(refused.is_err() || !refused.unwrap().to_string().contains(".."));
            } else {
                assert!(refused.is_err(), "{text}: {refused:?}");
            }
        }
        assert!(Location::parse(&format!("s3://b/{}", "x".repeat(513))).is_err());
    }

    #[test]
    fn never_repeats_credentials() {
        for text in [
            "s3://AKIA:hush@books/a",
            "s3://b?endpoint=https://me:hush@host",
            "https://me:hush@books.example.org",
            "https://hush@books.example.org",
        ] {
            let said = Location::parse(text).unwrap_err().to_string();
            assert!(!said.contains("hush"), "{said}");
            assert!(said.contains("credentials"), "{said}");
        }
    }
}
