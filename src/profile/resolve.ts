import { BUILT_IN, BUILT_IN_GUESTS, guestFamily } from './defaults.js';
import { matchesAny } from './pattern.js';
import type {
  Category,
  Layer,
  Match,
  Profile,
  Resolved,
  SettingName,
  Settings,
  Sources,
  Subject,
  SubjectPartition,
} from './types.js';

const SETTING_NAMES = Object.keys(BUILT_IN) as SettingName[];

/**
 * The settings for a disk, or for one of its partitions. Later layers win, setting by setting:
 *
 *   1. built-in             3. `defaults` of the profile     5. categories that match, in the order of the file
 *   2. built-in, by guest   4. `guests` of the profile       6. categories attached by name, in that order too
 *                                                            7. options of the command line
 *
 * A category with a condition on labels holds for the partitions that have such a label, never for the disk as a whole.
 */
export function resolveSettings(
  profile: Profile,
  subject: Subject,
  partition: SubjectPartition | null,
  options: Partial<Settings> = {},
): Resolved {
  const guest = guestFamily(subject);
  const layers: Layer[] = [
    { source: 'built-in', settings: BUILT_IN },
    { source: `built-in for ${guest}`, settings: BUILT_IN_GUESTS[guest] ?? {} },
    { source: 'defaults', settings: profile.defaults },
    { source: `guests.${guest}`, settings: profile.guests[guest] ?? {} },
    ...categoriesOf(profile, subject, partition).map(({ name, settings }) => ({
      source: `category ${name}`,
      settings,
    })),
    { source: 'command line', settings: options },
  ];
  return fold(layers);
}

function fold(layers: readonly Layer[]): Resolved {
  const settings: Partial<Record<SettingName, unknown>> = {};
  const sources: Partial<Record<SettingName, string>> = {};
  for (const layer of layers) {
    for (const name of SETTING_NAMES) {
      if (layer.settings[name] === undefined) continue;
      settings[name] = layer.settings[name];
      sources[name] = layer.source;
    }
  }
  return { settings: settings as unknown as Settings, sources: sources as Sources };
}

/** The categories that hold for a disk or a partition, the strongest last. */
export function categoriesOf(
  profile: Profile,
  subject: Subject,
  partition: SubjectPartition | null,
): readonly Category[] {
  const attached = profile.categories.filter((category) => isAttached(category, subject));
  const matched = profile.categories.filter(
    (category) =>
      !attached.includes(category) && category.match !== null && holds(category.match, subject, partition),
  );
  const applies = ({ match }: Category) => match?.label === undefined || labelHolds(match, partition);
  return [...matched, ...attached.filter(applies)];
}

const isAttached = ({ attach }: Category, { vm, path }: Subject): boolean =>
  attach.includes(path) || (vm !== null && attach.includes(vm.name));

function holds(match: Match, subject: Subject, partition: SubjectPartition | null): boolean {
  const { vm, sizeBytes } = subject;
  const folders = foldersOf(subject.path);
  const guests = [vm?.guestOs ?? '', subject.guest?.name ?? '', guestFamily(subject)];
  return (
    any(match.guestOs, guests) &&
    any(match.vm, vm === null ? [] : [vm.name]) &&
    any(match.datastore, [datastoreOf(subject.path)]) &&
    any(match.folder, folders) &&
    sizeBytes >= (match.minimumDiskBytes ?? 0) &&
    sizeBytes <= (match.maximumDiskBytes ?? Number.MAX_SAFE_INTEGER) &&
    (match.label === undefined || labelHolds(match, partition))
  );
}

const any = (patterns: readonly string[] | undefined, texts: readonly string[]): boolean =>
  patterns === undefined || texts.some((text) => matchesAny(text, patterns));

function labelHolds({ label = [] }: Match, partition: SubjectPartition | null): boolean {
  const own = partition?.filesystem?.label ?? null;
  return own !== null && matchesAny(own, label);
}

/** Every folder above a file, the nearest first: `/a/b`, `/a`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts
    .map((_, index) => parts.slice(0, parts.length - index).join('/'))
    .filter((each) => each !== '');
}

/** `/vmfs/volumes/NAME/...` says the datastore; elsewhere it is the folder above that of the machine. */
export function datastoreOf(path: string): string {
  const vmfs = /(?:^|\/)vmfs\/volumes\/([^/]+)\//.exec(path)?.[1];
  return vmfs ?? path.split('/').at(-3) ?? '';
}
