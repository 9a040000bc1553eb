import { z } from 'zod';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dots, dashes: at most 64')
  .describe('Name of the category, as reports show it');

const size = z
  .union([
    z.string().regex(/^\d+(?:\.\d+)?(?:[KMGT](?:iB)?)?$/, 'a size such as 64K, 4G or 1.5T'),
    z.number().int().nonnegative(),
  ])
  .describe('Bytes; K, M, G, T are powers of 1024');

const percent = z.number().min(0).max(90);

/** One pattern, or a list of which any may match. */
const patterns = z
  .union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).min(1).max(256)])
  .describe('Patterns: * stands for any characters, ? for one; case does not matter');

const settings = {
  free: z
    .strictObject({ percent: percent.optional(), size: size.optional() })
    .describe(
      'Free space of each file system: percent of its new size, and at least a size; the larger counts',
    )
    .optional(),
  growth: z
    .strictObject({
      perMonth: z.union([z.literal('measured'), size]).optional(),
      months: z.number().int().min(0).max(120).optional(),
    })
    .describe('Room to grow: perMonth times months. measured: as earlier scans in the history show')
    .optional(),
  boundary: size.describe('What starts should be a multiple of: a power of two from 4K to 16M').optional(),
  doNotAlign: z
    .array(z.number().int().min(1).max(255))
    .max(255)
    .describe('Partitions that are not aligned')
    .optional(),
  untouched: z
    .array(z.union([z.number().int().min(1).max(255), z.string().min(1).max(256)]))
    .max(255)
    .describe('Partitions that neither move nor change their size: numbers, or patterns of labels')
    .optional(),
  shrink: z.boolean().optional(),
  enlarge: z.boolean().optional(),
  align: z.boolean().optional(),
  zero: z.boolean().optional(),
  worth: z
    .strictObject({ size: size.optional(), percent: percent.optional() })
    .describe('A change of less than this is not worth it: both have to be reached')
    .optional(),
};

const settingsOnly = z.strictObject(settings);

const match = z
  .strictObject({
    guestOs: patterns.describe('guestOS of the .vmx, or windows, linux, other').optional(),
    vm: patterns.describe('Name of the virtual machine').optional(),
    datastore: patterns
      .describe('NAME of /vmfs/volumes/NAME; elsewhere the folder above that of the machine')
      .optional(),
    folder: patterns.describe('Path of any folder above the disk').optional(),
    label: patterns.describe('Label of a volume: the category then holds for that partition').optional(),
    diskSize: z.strictObject({ min: size.optional(), max: size.optional() }).optional(),
  })
  .describe('All conditions that are there must hold');

const category = z.strictObject({
  name,
  description: z.string().max(1024).optional(),
  match: match.optional(),
  attach: z
    .array(z.string().min(1).max(1024))
    .max(10_000)
    .describe('Names of machines, or paths of disks, that belong to it whatever else matches')
    .optional(),
  ...settings,
});

/** A profile file as it is written; `parseProfile` makes rules of it. The JSON schema for editors is generated from it. */
export const profileSchema = z.strictObject({
  version: z.literal(1),
  defaults: settingsOnly.describe('What holds for all disks').optional(),
  guests: z
    .strictObject({
      windows: settingsOnly.optional(),
      linux: settingsOnly.optional(),
      other: settingsOnly.optional(),
    })
    .describe('What holds by the kind of guest')
    .optional(),
  categories: z
    .array(category)
    .max(1000)
    .describe('Groups of disks; of several that match the later one wins, setting by setting')
    .optional(),
});

export type ProfileFile = z.infer<typeof profileSchema>;
export type SettingsFile = z.infer<typeof settingsOnly>;
export type MatchFile = z.infer<typeof match>;

/** The JSON schema of a profile, for editors. */
export function profileJsonSchema(): unknown {
  return { ...z.toJSONSchema(profileSchema, { io: 'input' }), title: 'vmreclaim profile' };
}
