//! Which requests arrived.

use hyper::{Method, StatusCode, Uri};

/// How many requests arrived, by kind. Each counts when its head has arrived, also if it is then
/// throttled, refused, or not answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Puts of whole objects, copies too, whatever the answer.
    pub put: u64,
    /// Of these, the ones answered 412 or 409.
    pub put_refused: u64,
    /// Gets of objects, whatever the answer.
    pub get: u64,
    /// Of these, the ones answered 404.
    pub get_missing: u64,
    /// Heads of objects.
    pub head: u64,
    /// Pages of lists.
    pub list: u64,
    /// Deletions: of one object, or of many by one request.
    pub delete: u64,
    /// Multipart uploads: each creation, part, completion and abortion.
    pub multipart: u64,
    /// Everything else.
    pub other: u64,
    /// Bytes in the bodies of puts and parts that arrived whole.
    pub bytes_in: u64,
    /// Bytes of objects in answers to gets.
    pub bytes_out: u64,
}

impl Counts {
    /// How many requests arrived.
    pub const fn requests(&self) -> u64 {
        self.put + self.get + self.head + self.list + self.delete + self.multipart + self.other
    }

    /// The requests alone, for a test to which the bytes are no matter.
    #[must_use]
    pub const fn without_bytes(self) -> Self {
        Self { bytes_in: 0, bytes_out: 0, ..self }
    }

    pub(crate) fn arrived(&mut self, kind: Kind) {
        let count = match kind {
            Kind::Put => &mut self.put,
            Kind::Get => &mut self.get,
            Kind::Head => &mut self.head,
            Kind::List => &mut self.list,
            Kind::Delete => &mut self.delete,
            Kind::Upload | Kind::Part | Kind::Completion => &mut self.multipart,
            Kind::Other => &mut self.other,
        };
        *count += 1;
    }

    pub(crate) fn answered(&mut self, kind: Kind, status: StatusCode) {
        match (kind, status) {
            (Kind::Put, StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT) => {
                self.put_refused += 1;
            }
            (Kind::Get, StatusCode::NOT_FOUND) => self.get_missing += 1,
            _ => {}
        }
    }

    pub(super) fn received(&mut self, kind: Kind, bytes: usize) {
        if matches!(kind, Kind::Put | Kind::Part) {
            self.bytes_in += bytes as u64;
        }
    }
}

/// The kinds of request, as far as they are counted or spoiled differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Get,
    Head,
    List,
    Delete,
    /// The creation or abortion of a multipart upload.
    Upload,
    Part,
    Completion,
    Other,
}

impl Kind {
    /// The kind of a request for `/BUCKET` or `/BUCKET/KEY`.
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let asks_for = |name| {
            let pairs = uri.query().into_iter().flat_map(|query| query.split('&'));
            pairs.into_iter().any(|pair| pair.split('=').next() == Some(name))
        };
        let path = uri.path().trim_start_matches('/');
        let of_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let of_upload = asks_for("uploads") || asks_for("uploadId");
        match (method.as_str(), of_object, of_upload) {
            ("PUT", true, true) => Self::Part,
            ("PUT", true, false) => Self::Put,
            ("GET", true, false) => Self::Get,
            ("GET", false, false) if asks_for("list-type") => Self::List,
            ("HEAD", true, false) => Self::Head,
            ("DELETE", true, false) => Self::Delete,
            ("POST", true, true) if asks_for("uploadId") => Self::Completion,
            ("DELETE" | "POST", true, true) => Self::Upload,
            ("POST", false, _) if asks_for("delete") => Self::Delete,
            _ => Self::Other,
        }
    }
}
