/** What devices fetch: blobs and metadata from local folders, over a transport and over HTTP. */
export { BlobFolder } from './blob-folder.ts';
export { BlobServer, type BlobServerCounts, type BlobServerParts, DEFAULT_RATES, type Rates } from './blob-server.ts';
export { blobHandler } from './http.ts';
export { MetadataFolder } from './metadata-folder.ts';
export type { BlobSource, MetadataFiles } from './source.ts';
export { type Rate, TokenBucket } from './token-bucket.ts';
export { type Held, Uploads } from './uploads.ts';
