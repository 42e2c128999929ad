//! The operations of S3, translated to what [`Buckets`] can do.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
    CopyObjectResult, CopySource, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object as ListedObject, PutObjectInput, PutObjectOutput, StreamingBlob,
    UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::bucket::{Bucket, Condition, Object, strong};
use super::list::{Page, Query};
use super::store::{Buckets, Wanted};

/// How many items a page of a list has at most.
const MAX_ITEMS: i32 = 1000;

/// What a continuation token begins with, so that no key can be taken for one.
const TOKEN_START: &str = "after:";

/// What an operation answers.
type Answer<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Buckets {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> Answer<CreateBucketOutput> {
        self.create(&request.input.bucket)?;
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.with(&request.input.bucket, |_| Ok(()))?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let input = request.input;
        let condition = Condition::of(input.if_match, input.if_none_match)?;
        let bytes = collect(input.body).await?;
        let key = &input.key;
        let put = |bucket: &mut Bucket| Ok(bucket.put(key, bytes));
        let tag = self.write(&input.bucket, key, condition, put).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(strong(&tag)), ..Default::default() }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let input = request.input;
        let CopySource::Bucket { bucket: from_bucket, key: from, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "copies are from a bucket"));
        };
        let bytes = self.read(from_bucket, from, &Wanted::default())?.bytes;
        let key = &input.key;
        let put = |bucket: &mut Bucket| Ok(bucket.put(key, bytes));
        let tag = self.write(&input.bucket, key, Condition::None, put).await?;
        let result = CopyObjectResult { e_tag: Some(strong(&tag)), ..Default::default() };
        let output = CopyObjectOutput { copy_object_result: Some(result), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = request.input;
        let wanted = Wanted {
            tag: input.if_match,
            other_tag: input.if_none_match,
            changed_since: input.if_modified_since,
            unchanged_since: input.if_unmodified_since,
        };
        let object = self.read(&input.bucket, &input.key, &wanted)?;
        let total = object.bytes.len() as u64;
        let range = match input.range {
            Some(_) if total == 0 => return Err(s3_error!(InvalidRange)),
            Some(range) => range.check(total)?,
            None => 0..total,
        };
        let bytes = self.spoil(object.bytes.slice(positions(&range)));
        let end = range.start + bytes.len() as u64;
        let part = input.range.map(|_| format!("bytes {}-{}/{total}", range.start, end - 1));
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(&bytes)),
            content_range: part,
            body: Some(StreamingBlob::from(Body::from(bytes))),
            e_tag: Some(strong(&object.tag)),
            last_modified: Some(object.modified),
            ..Default::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = request.input;
        let wanted = Wanted {
            tag: input.if_match,
            other_tag: input.if_none_match,
            changed_since: input.if_modified_since,
            unchanged_since: input.if_unmodified_since,
        };
        let object = self.read(&input.bucket, &input.key, &wanted)?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(&object.bytes)),
            e_tag: Some(strong(&object.tag)),
            last_modified: Some(object.modified),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answer<DeleteObjectOutput> {
        let input = request.input;
        self.change(&input.bucket, |bucket| {
            bucket.objects.remove(&input.key);
            Ok(())
        })?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let input = request.input;
        let keys: Vec<_> = input.delete.objects.into_iter().map(|object| object.key).collect();
        self.change(&input.bucket, |bucket| {
            for key in &keys {
                bucket.objects.remove(key);
            }
            Ok(())
        })?;
        let quiet = input.delete.quiet == Some(true);
        let deleted = |key| DeletedObject { key: Some(key), ..Default::default() };
        let deleted = (!quiet).then(|| keys.into_iter().map(deleted).collect());
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..Default::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        let input = request.input;
        let resume = match input.continuation_token.as_deref() {
            None => None,
            Some(token) => match token.strip_prefix(TOKEN_START) {
                Some(item) => Some(item),
                None => return Err(s3_error!(InvalidArgument, "not a continuation token")),
            },
        };
        let max_keys = input.max_keys.unwrap_or(MAX_ITEMS).clamp(0, MAX_ITEMS);
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
            start_after: input.start_after.as_deref().unwrap_or_default(),
            resume,
            max_items: usize::try_from(max_keys).unwrap_or_default(),
        };
        let output = self.list(&input.bucket, &query, listed)?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: Some(max_keys),
            continuation_token: input.continuation_token,
            delimiter: input.delimiter,
            start_after: input.start_after,
            ..output
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let input = request.input;
        let id = self.change(&input.bucket, |bucket| Ok(bucket.begin(&input.key)))?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let input = request.input;
        let bytes = collect(input.body).await?;
        let tag = self.change(&input.bucket, |bucket| {
            bucket.upload(&input.upload_id, &input.key)?.put(input.part_number, bytes)
        })?;
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(strong(&tag)), ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let input = request.input;
        let condition = Condition::of(input.if_match, input.if_none_match)?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (id, key) = (&input.upload_id, &input.key);
        let complete = |bucket: &mut Bucket| {
            let bytes = bucket.upload(id, key)?.assemble(&parts)?;
            bucket.uploads.remove(id);
            Ok(bucket.put(key, bytes))
        };
        let tag = self.write(&input.bucket, key, condition, complete).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(strong(&tag)),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let input = request.input;
        self.change(&input.bucket, |bucket| {
            bucket.upload(&input.upload_id, &input.key)?;
            bucket.uploads.remove(&input.upload_id);
            Ok(())
        })?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// All bytes of a request's body.
async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let pieces: Vec<Bytes> = body.try_collect().await.map_err(|error| {
        // What the stream checks is the hash in the signature.
        S3Error::with_source(S3ErrorCode::BadDigest, error)
    })?;
    if let [whole] = pieces.as_slice() {
        return Ok(whole.clone());
    }
    Ok(pieces.concat().into())
}

/// The answer to a list whose page is this.
fn listed(page: &Page<'_>) -> ListObjectsV2Output {
    let objects = page.objects.iter().map(|(key, object)| describe(key, object));
    let prefixes = page.prefixes.iter().map(|prefix| Some((*prefix).to_owned()));
    let count = page.objects.len() + page.prefixes.len();
    ListObjectsV2Output {
        key_count: i32::try_from(count).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|item| format!("{TOKEN_START}{item}")),
        contents: Some(objects.collect()),
        common_prefixes: Some(prefixes.map(|prefix| CommonPrefix { prefix }).collect()),
        ..Default::default()
    }
}

/// An object as lists show it.
fn describe(key: &str, object: &Object) -> ListedObject {
    ListedObject {
        key: Some(key.to_owned()),
        size: Some(length(&object.bytes)),
        e_tag: Some(strong(&object.tag)),
        last_modified: Some(object.modified.clone()),
        ..Default::default()
    }
}

fn length(bytes: &Bytes) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

fn positions(range: &Range<u64>) -> Range<usize> {
    let position = |at| usize::try_from(at).unwrap_or(usize::MAX);
    position(range.start)..position(range.end)
}
