import { createReadStream } from 'node:fs';

/**
 * The text of a file, `-` is stdin; undefined when it is longer than `maxBytes`. A size that a file tells is not relied
 * on: pipes and devices tell none. Throws what the system says when it cannot be read.
 */
export async function readCapped(path: string, maxBytes: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of createReadStream(path === '-' ? '/dev/stdin' : path) as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
