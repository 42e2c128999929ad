// The S3 protocol of Cloudflare R2, as far as a store of objects needs it, over the bucket of
// Cloudflare's own simulator.
//
// A Workers script: it runs in workerd and sees one R2 bucket as `env.BUCKET`, named
// `env.BUCKET_NAME`. What is stored, which conditions hold and which uploads are sound is decided by
// the simulator; this file only translates requests, answers and errors. It checks no signatures and
// knows no rate limit, both of which R2 has.
//
//     HEAD    /BUCKET                        is there
//     GET     /BUCKET?list-type=2            prefix, delimiter, max-keys, start-after,
//                                            continuation-token, encoding-type=url
//     POST    /BUCKET?delete                 delete up to 1,000 keys
//     GET     /BUCKET/KEY, HEAD              Range and the four conditions
//     PUT     /BUCKET/KEY                    the four conditions, Content-Type and the like, x-amz-meta-*
//     PUT     /BUCKET/KEY x-amz-copy-source  copy within the bucket
//     DELETE  /BUCKET/KEY
//     POST    /BUCKET/KEY?uploads            begin a multipart upload
//     PUT     /BUCKET/KEY?uploadId&partNumber
//     POST    /BUCKET/KEY?uploadId           complete it
//     DELETE  /BUCKET/KEY?uploadId           abort it
//
// Anything else is refused with 501, so that a client never takes an ignored request for a kept one.

// R2 lists and deletes no more at once.
const MAX_KEYS = 1000;

const META_PREFIX = "x-amz-meta-";

// The simulator's error numbers, which end its messages, as R2's S3 interface answers them.
// Numbers that are not here are faults of the simulator or of this file: 500.
const ERRORS = new Map([
  [10007, [404, "NoSuchKey"]],
  [10011, [400, "EntityTooSmall"]],
  [10012, [400, "MetadataTooLarge"]],
  [10020, [400, "KeyTooLongError"]],
  [10022, [400, "InvalidMaxKeys"]],
  [10024, [404, "NoSuchUpload"]],
  [10025, [400, "InvalidPart"]],
  [10029, [400, "InvalidArgument"]],
  [10031, [412, "PreconditionFailed"]],
  [10037, [400, "BadDigest"]],
  [10039, [416, "InvalidRange"]],
  // The rule that sets R2 apart: all parts but the last are of one size, and the last is no larger.
  [10048, [400, "InvalidPart"]],
  [10054, [400, "InvalidArgument"]],
  [100100, [400, "EntityTooLarge"]],
]);

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const path = decodeURIComponent(url.pathname.slice(1));
    const slash = path.indexOf("/");
    const name = slash < 0 ? path : path.slice(0, slash);
    const key = slash < 0 ? "" : path.slice(slash + 1);
    if (name !== env.BUCKET_NAME) {
      return failure(404, "NoSuchBucket", `only ${env.BUCKET_NAME} is here`);
    }
    const call = { request, query: url.searchParams, headers: request.headers, name, key, bucket: env.BUCKET };
    try {
      return await (key === "" ? bucketHandler(call) : objectHandler(call))(call);
    } catch (error) {
      return failureOf(error);
    }
  },
};

function bucketHandler({ request, query }) {
  switch (request.method) {
    case "HEAD":
      return () => new Response(null, { status: 200 });
    case "GET":
      return query.get("list-type") === "2" ? listObjects : notImplemented;
    case "POST":
      return query.has("delete") ? deleteObjects : notImplemented;
    case "PUT":
      return () => failure(409, "BucketAlreadyOwnedByYou");
    default:
      return notImplemented;
  }
}

function objectHandler({ request, query, headers }) {
  const inUpload = query.has("uploadId");
  switch (request.method) {
    case "HEAD":
    case "GET":
      // With an upload's id it would be a list of its parts, which the simulator does not give.
      return inUpload ? notImplemented : getObject;
    case "PUT":
      if (isChunked(headers)) return notImplemented;
      if (headers.has("x-amz-copy-source")) return inUpload ? notImplemented : copyObject;
      return inUpload ? uploadPart : putObject;
    case "POST":
      if (query.has("uploads")) return createUpload;
      return inUpload ? completeUpload : notImplemented;
    case "DELETE":
      return inUpload ? abortUpload : deleteObject;
    default:
      return notImplemented;
  }
}

// A body in signed chunks would be stored with its framing.
function isChunked(headers) {
  return (
    (headers.get("x-amz-content-sha256") ?? "").startsWith("STREAMING-") ||
    (headers.get("content-encoding") ?? "").includes("aws-chunked")
  );
}

// --- The bucket -----------------------------------------------------------------------------------

// Keys in the order of their bytes; strongly consistent; a page may be shorter than asked for.
async function listObjects({ bucket, name, query }) {
  const limit = Math.min(MAX_KEYS, Number(query.get("max-keys") ?? MAX_KEYS));
  const page = await bucket.list({
    limit,
    prefix: query.get("prefix") ?? undefined,
    delimiter: query.get("delimiter") ?? undefined,
    cursor: query.get("continuation-token") ?? undefined,
    startAfter: query.get("start-after") ?? undefined,
  });
  const encoded = query.get("encoding-type") === "url";
  const show = encoded ? encodeURIComponent : escapeXml;
  return xml(
    "ListBucketResult",
    element("Name", name),
    encoded ? element("EncodingType", "url") : "",
    element("KeyCount", page.objects.length + page.delimitedPrefixes.length),
    element("MaxKeys", limit),
    element("IsTruncated", page.truncated),
    page.truncated ? element("NextContinuationToken", page.cursor) : "",
    ...page.objects.map(
      (object) =>
        `<Contents><Key>${show(object.key)}</Key>` +
        element("LastModified", object.uploaded.toISOString()) +
        element("ETag", object.httpEtag) +
        element("Size", object.size) +
        "<StorageClass>STANDARD</StorageClass></Contents>",
    ),
    ...page.delimitedPrefixes.map((prefix) => `<CommonPrefixes><Prefix>${show(prefix)}</Prefix></CommonPrefixes>`),
  );
}

// Says of absent keys too that they are deleted, as S3 does.
async function deleteObjects({ bucket, request }) {
  const keys = texts(await request.text(), "Key");
  if (keys.length === 0 || keys.length > MAX_KEYS) {
    return failure(400, "MalformedXML", `1 to ${MAX_KEYS} keys at once`);
  }
  await bucket.delete(keys);
  return xml("DeleteResult", ...keys.map((key) => `<Deleted>${element("Key", key)}</Deleted>`));
}

// --- One object -----------------------------------------------------------------------------------

// GET and HEAD are one, so that the conditions hold for both.
async function getObject({ bucket, key, request, headers }) {
  const ranged = headers.has("range");
  const object = await bucket.get(key, { onlyIf: headers, range: ranged ? headers : undefined });
  if (object === null) {
    return failure(404, "NoSuchKey");
  }
  const answer = new Headers();
  object.writeHttpMetadata(answer);
  answer.set("etag", object.httpEtag);
  answer.set("last-modified", object.uploaded.toUTCString());
  answer.set("accept-ranges", "bytes");
  for (const [name, value] of Object.entries(object.customMetadata ?? {})) {
    answer.set(META_PREFIX + name, value);
  }
  if (object.body === undefined) {
    // A condition did not hold. Which of them, the simulator does not say.
    const unchanged = headers.has("if-none-match") || headers.has("if-modified-since");
    return unchanged ? new Response(null, { status: 304, headers: answer }) : failure(412, "PreconditionFailed");
  }
  if (ranged && startsAfter(headers.get("range"), object.size)) {
    await object.body.cancel();
    return failure(416, "InvalidRange");
  }
  let length = object.size;
  let status = 200;
  if (ranged && object.range !== undefined) {
    const offset = object.range.offset ?? 0;
    length = object.range.length ?? object.size - offset;
    status = 206;
    answer.set("content-range", `bytes ${offset}-${offset + length - 1}/${object.size}`);
  }
  answer.set("content-length", String(length));
  if (request.method === "HEAD") {
    await object.body.cancel();
    return new Response(null, { status, headers: answer });
  }
  return new Response(object.body, { status, headers: answer });
}

// Whether a range begins behind the last byte. R2 refuses those; the simulator, given them in a
// header, answers with the whole object.
function startsAfter(range, size) {
  const first = /^bytes=(\d+)-/.exec(range)?.[1];
  return first !== undefined && Number(first) >= size;
}

// The conditions are looked at and the object is written in one step: of racing puts with
// `If-None-Match: *` one wins, and the others are told 412.
async function putObject({ bucket, key, request, headers }) {
  const object = await bucket.put(key, await request.arrayBuffer(), { onlyIf: headers, ...metadata(headers) });
  return object === null
    ? failure(412, "PreconditionFailed")
    : new Response(null, { headers: { etag: object.httpEtag } });
}

async function copyObject({ bucket, name, key, headers }) {
  const source = decodeURIComponent(headers.get("x-amz-copy-source")).replace(/^\//, "");
  if (!source.startsWith(`${name}/`)) {
    return failure(404, "NoSuchBucket");
  }
  const from = await bucket.get(source.slice(name.length + 1));
  if (from === null) {
    return failure(404, "NoSuchKey");
  }
  const { httpMetadata, customMetadata } = from;
  const to = await bucket.put(key, await from.arrayBuffer(), { httpMetadata, customMetadata });
  return xml(
    "CopyObjectResult",
    element("LastModified", to.uploaded.toISOString()),
    element("ETag", to.httpEtag),
  );
}

// No error for a key that is absent.
async function deleteObject({ bucket, key }) {
  await bucket.delete(key);
  return new Response(null, { status: 204 });
}

// --- Multipart uploads ----------------------------------------------------------------------------

async function createUpload({ bucket, name, key, headers }) {
  const upload = await bucket.createMultipartUpload(key, metadata(headers));
  return xml(
    "InitiateMultipartUploadResult",
    element("Bucket", name),
    element("Key", key),
    element("UploadId", upload.uploadId),
  );
}

async function uploadPart({ bucket, key, request, query }) {
  const upload = bucket.resumeMultipartUpload(key, query.get("uploadId"));
  const part = await upload.uploadPart(Number(query.get("partNumber")), await request.arrayBuffer());
  return new Response(null, { headers: { etag: `"${part.etag}"` } });
}

// The sizes of the parts are judged here, not when they come: each but the last 5 MiB at least
// (EntityTooSmall) and equal (InvalidPart).
async function completeUpload({ bucket, name, key, request, query }) {
  const parts = elements(await request.text(), "Part").map((part) => ({
    partNumber: Number(texts(part, "PartNumber")[0]),
    etag: (texts(part, "ETag")[0] ?? "").replaceAll('"', ""),
  }));
  const object = await bucket.resumeMultipartUpload(key, query.get("uploadId")).complete(parts);
  return xml(
    "CompleteMultipartUploadResult",
    element("Bucket", name),
    element("Key", key),
    element("ETag", object.httpEtag),
  );
}

async function abortUpload({ bucket, key, query }) {
  await bucket.resumeMultipartUpload(key, query.get("uploadId")).abort();
  return new Response(null, { status: 204 });
}

// --- Metadata, XML, errors ------------------------------------------------------------------------

function metadata(headers) {
  const custom = [...headers]
    .filter(([name]) => name.startsWith(META_PREFIX))
    .map(([name, value]) => [name.slice(META_PREFIX.length), value]);
  return { httpMetadata: headers, customMetadata: Object.fromEntries(custom) };
}

const ENTITIES = { "<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&apos;", '"': "&quot;" };
const CHARACTERS = Object.fromEntries(Object.entries(ENTITIES).map(([character, entity]) => [entity, character]));

function escapeXml(text) {
  return String(text).replace(/[<>&'"]/g, (character) => ENTITIES[character]);
}

function unescapeXml(text) {
  return text.replace(/&(?:lt|gt|amp|apos|quot);/g, (entity) => CHARACTERS[entity]);
}

function element(name, text) {
  return `<${name}>${escapeXml(text)}</${name}>`;
}

// The insides of all elements of one name. The two bodies that are read here are flat enough for it.
function elements(document, name) {
  return [...document.matchAll(new RegExp(`<${name}>([^]*?)</${name}>`, "g"))].map((match) => match[1]);
}

function texts(document, name) {
  return elements(document, name).map(unescapeXml);
}

function xml(root, ...children) {
  return answerXml(200, root, children);
}

function answerXml(status, root, children) {
  const body = `<?xml version="1.0" encoding="UTF-8"?><${root}>${children.join("")}</${root}>`;
  return new Response(body, { status, headers: { "content-type": "application/xml" } });
}

function failure(status, code, message = code) {
  return answerXml(status, "Error", [element("Code", code), element("Message", message)]);
}

function notImplemented() {
  return failure(501, "NotImplemented");
}

function failureOf(error) {
  const message = String(error?.message ?? error);
  const number = Number(/\((\d+)\)\s*$/.exec(message)?.[1]);
  const [status, code] = ERRORS.get(number) ?? [500, "InternalError"];
  return failure(status, code, message);
}
