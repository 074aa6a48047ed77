import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { toJsonSchema } from '@valibot/to-json-schema';
import { profileFileSchema, profilesFolder } from '../sdk/compile/profile.ts';

/** Text of profiles/schema.json: the schema of sdk/compile/profile-schema.ts as JSON Schema, draft 2020-12. */
export function profileJsonSchema(): string {
  const { $schema, ...schema } = toJsonSchema(profileFileSchema, { target: 'draft-2020-12' });
  return `${JSON.stringify({ $schema, title: 'EigenWeights board profile', ...schema }, null, 2)}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(join(profilesFolder(), 'schema.json'), profileJsonSchema());
}
