import { writeFile } from 'node:fs/promises';
import { usageError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { PROFILE_TEMPLATE } from '../profile/template.js';
import { toJson } from '../report/json.js';
import { renderCategory, renderProfile } from '../report/profile-table.js';
import { loadProfile } from './profile-source.js';
import type { Surroundings } from './surroundings.js';
import { type OutputOptions, printData, renderOptions } from './terminal.js';

/** `profiles list|show|check|init FILE`. */
export async function runProfiles(
  action: string,
  file: string,
  category: string | undefined,
  flags: OutputOptions,
  around: Surroundings,
): Promise<void> {
  if ((action === 'show') !== (category !== undefined)) {
    throw usageError('command-line', 'show, and only show, needs the name of a category');
  }
  if (action === 'init') await profilesInit(file, flags);
  else if (action === 'check') await profilesCheck(file, flags);
  else if (category === undefined) await profilesList(file, flags);
  else await profilesShow(file, category, flags);
  around.setExitCode(0);
}

/** The categories of a profile: whom they hold for and what they say. */
async function profilesList(file: string, flags: OutputOptions): Promise<void> {
  const profile = await loadProfile(file);
  printData(
    flags.json === true
      ? toJson({ formatVersion: 1, ...profile })
      : renderProfile(profile, renderOptions(process.stdout, flags)),
    flags,
  );
}

/** One category of a profile. */
async function profilesShow(file: string, name: string, flags: OutputOptions): Promise<void> {
  const { categories } = await loadProfile(file);
  const category = categories.find((each) => each.name === name);
  if (category === undefined) {
    const names = categories.map((each) => each.name).join(', ');
    throw usageError('no-such-category', `there is no category ${name} in ${file}`, {
      hint: names === '' ? 'it has no categories' : `its categories are ${names}`,
    });
  }
  printData(
    flags.json === true
      ? toJson({ formatVersion: 1, ...category })
      : renderCategory(category, renderOptions(process.stdout, flags)),
    flags,
  );
}

/** Says whether a file is a profile; what is wrong comes as an error with line and column. */
async function profilesCheck(file: string, flags: OutputOptions): Promise<void> {
  const { categories } = await loadProfile(file);
  const document = { formatVersion: 1, file, valid: true, categories: categories.length };
  const text = `${cleanText(file)} is a profile with ${categories.length} categories\n`;
  printData(flags.json === true ? toJson(document) : text, flags);
}

/** Writes a profile to begin with; never over one that is there. */
async function profilesInit(file: string, flags: OutputOptions): Promise<void> {
  try {
    await writeFile(file, PROFILE_TEMPLATE, { flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw usageError('profile', isThere ? `${file} is there already` : `${file} cannot be written`, {
      path: file,
      ...(isThere ? {} : { cause: error }),
    });
  }
  printData(
    flags.json === true ? toJson({ formatVersion: 1, file }) : `${cleanText(file)} was written\n`,
    flags,
  );
}
