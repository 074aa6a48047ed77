import * as v from 'valibot';
import { defineRoute, type Route } from '../route.ts';
import { count, digest, queryCount } from '../schemas.ts';

const named = v.strictObject({ sha256: digest });
const held = v.strictObject({
  bytes: v.pipe(count, v.description('That are here')),
  whole: v.pipe(v.boolean(), v.description('It is there, and verified: devices can fetch it')),
});

const show = defineRoute({
  method: 'GET',
  path: '/v1/blobs/{sha256}',
  summary: 'How far a blob has come',
  role: 'operator',
  params: named,
  reply: held,
  handle: ({ params }, { uploads }) => uploads.held(params.sha256),
});

const put = defineRoute({
  method: 'PUT',
  path: '/v1/blobs/{sha256}',
  summary: 'Send a bundle or a delta, or the rest of it; one that is there is not read again',
  role: 'operator',
  params: named,
  query: v.strictObject({
    from: v.optional(v.pipe(queryCount(Number.MAX_SAFE_INTEGER), v.description('Where the body begins in the blob'))),
    total: v.optional(
      v.pipe(queryCount(Number.MAX_SAFE_INTEGER), v.description('Of the blob; the end of the body if absent')),
    ),
  }),
  upload: true,
  reply: held,
  async handle({ params: { sha256 }, query, upload, caller }, { uploads, audit, clock }) {
    const { bytes = 0, chunks } = upload!;
    const { from = 0, total = from + bytes } = query;
    const before = await uploads.held(sha256);
    const now = await uploads.take(sha256, { from, total, chunks });
    if (now.whole && !before.whole)
      await audit.add([
        { at: clock.now(), actor: caller.actor, action: 'blob-upload', subject: sha256, details: { bytes: now.bytes } },
      ]);
    return now;
  },
});

const bundle = v.strictObject({
  path: v.string(),
  family: v.string(),
  board: v.string(),
  sha256: digest,
  bytes: count,
});

const bundles = defineRoute({
  method: 'GET',
  path: '/v1/bundles',
  summary: 'Bundles that devices may run, as targets list them',
  role: 'viewer',
  reply: v.strictObject({ bundles: v.array(bundle) }),
  async handle(_, { listed }) {
    const all = [...(await listed())].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      bundles: all.map(([path, { family, board, blob }]) => ({
        path,
        family,
        board,
        sha256: blob.sha256,
        bytes: blob.bytes,
      })),
    };
  },
});

export const blobRoutes: readonly Route[] = [show, put, bundles];
