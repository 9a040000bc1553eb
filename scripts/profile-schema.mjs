// Writes docs/profile.schema.json, the JSON schema of a profile, from the schema that profiles are checked by.
// Needs the build. A test compares the two.
import { writeFileSync } from 'node:fs';
import { profileJsonSchema } from '../dist/profile/schema.js';

const target = new URL('../docs/profile.schema.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(profileJsonSchema(), null, 2)}\n`);
