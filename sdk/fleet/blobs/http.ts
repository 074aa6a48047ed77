import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlobSource, MetadataFiles } from './source.ts';

/** Bytes that are read at once for an answer. */
const STRETCH = 262_144;

const BLOB = /^\/blobs\/([0-9a-f]{64})$/;
const METADATA = /^\/metadata\/(?:(\d{1,15})\.)?([A-Za-z0-9_-]{1,80})\.json$/;
const RANGE = /^bytes=(\d{1,15})-(\d{1,15})?$/;

/**
 * Answers GET and HEAD of `/blobs/<sha256>`, whole or a range, and of `/metadata/<version>.<role>.json` and `/metadata/<role>.json`: what
 * any web server does with the same folder. Gives whether the request was one of these; others are left alone.
 */
export function blobHandler(
  blobs: BlobSource,
  metadata: MetadataFiles,
): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  return async (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const blob = BLOB.exec(path);
    const file = METADATA.exec(path);
    if (!blob && !file) return false;
    if (request.method !== 'GET' && request.method !== 'HEAD') end(response, 405, { allow: 'GET, HEAD' });
    else if (blob) await sendBlob(blobs, blob[1]!, request, response);
    else await sendMetadata(metadata, file!, request, response);
    return true;
  };
}

async function sendMetadata(
  files: MetadataFiles,
  [, version, role]: RegExpExecArray,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = await files.read(role!, version === undefined ? undefined : Number(version));
  if (!file) return end(response, 404);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': file.bytes.length,
    // A version never changes; which one is the newest does.
    'cache-control': version === undefined ? 'no-cache' : 'public, max-age=31536000, immutable',
  });
  response.end(request.method === 'HEAD' ? undefined : file.bytes);
}

async function sendBlob(
  blobs: BlobSource,
  sha256: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const spec = await blobs.spec(sha256);
  if (!spec) return end(response, 404);
  const etag = `"${sha256}"`;
  const headers = { etag, 'accept-ranges': 'bytes', 'cache-control': 'public, max-age=31536000, immutable' };
  if (request.headers['if-none-match'] === etag) return end(response, 304, headers);
  const condition = request.headers['if-range'];
  const asked = condition === undefined || condition === etag ? RANGE.exec(request.headers.range ?? '') : null;
  const from = asked ? Number(asked[1]) : 0;
  const to = Math.min(spec.bytes, asked?.[2] === undefined ? spec.bytes : Number(asked[2]) + 1);
  if (asked && (from >= spec.bytes || to <= from))
    return end(response, 416, { ...headers, 'content-range': `bytes */${spec.bytes}` });
  response.writeHead(asked ? 206 : 200, {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-length': to - from,
    ...(asked ? { 'content-range': `bytes ${from}-${to - 1}/${spec.bytes}` } : {}),
  });
  if (request.method === 'HEAD') response.end();
  else await stream(blobs, { sha256, from, to }, response);
}

/** Reads no faster than the other side takes it. */
async function stream(
  blobs: BlobSource,
  { sha256, from, to }: { readonly sha256: string; readonly from: number; readonly to: number },
  response: ServerResponse,
): Promise<void> {
  for (let at = from; at < to && !response.destroyed; at += STRETCH) {
    const bytes = await blobs.read(sha256, at, Math.min(STRETCH, to - at)).catch(() => undefined);
    if (!bytes) {
      // It began well and cannot end well: the other side must see that it is short.
      response.destroy();
      return;
    }
    if (!response.write(bytes)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function end(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-length': 0, ...headers });
  response.end();
}
