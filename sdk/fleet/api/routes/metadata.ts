import * as v from 'valibot';
import { EigenError } from '../../../util/errors.ts';
import { MOST_BYTES } from '../../../wire/metadata.ts';
import { defineRoute, type Route, type Upload } from '../route.ts';
import { count } from '../schemas.ts';

const role = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be targets, or a role that they delegate to'),
  v.description('targets, or a role that they delegate to'),
);

const put = defineRoute({
  method: 'PUT',
  path: '/v1/metadata/{role}',
  summary: 'Put the next version of a list of bundles online, a file of TUF that was signed elsewhere',
  role: 'operator',
  params: v.strictObject({ role }),
  upload: true,
  reply: v.strictObject({
    version: count,
    listed: v.pipe(v.array(v.string()), v.description('Paths that list something else than before')),
    withdrawn: v.array(v.string()),
  }),
  async handle({ params, upload, caller }, { publishTargets, audit, clock }) {
    const [subject, { actor }] = [params.role, caller];
    return publishTargets(subject, await wholeOf(upload!), ({ version, listed, withdrawn }) =>
      audit.add([
        { at: clock.now(), actor, action: 'targets-publish', subject, details: { version, listed, withdrawn } },
      ]),
    );
  },
});

/** No more is read than devices would take. */
async function wholeOf({ chunks }: Upload): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES.targets)
      throw new EigenError('EW2101_REQUEST_INVALID', `body: at most ${MOST_BYTES.targets} bytes`);
    parts.push(chunk);
  }
  return new Uint8Array(Buffer.concat(parts));
}

export const metadataRoutes: readonly Route[] = [put];
