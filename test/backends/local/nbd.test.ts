import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NbdServer } from '../../../src/backends/local/nbd/server.js';
import { readOnlyDevice } from '../../../src/device/read-only.js';
import { judge } from '../../support/judges.js';
import { MemoryDevice } from '../../support/memory-device.js';
import { hashBytes } from '../../support/mounts.js';
import { randomBytes } from '../../support/random.js';

const SIZE = 1024 * 1024 + 512;
const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-nbd-'));
const socket = join(folder, 'nbd.sock');
const uri = `nbd+unix:///?socket=${socket}`;
let server: NbdServer | undefined;
const idle: boolean[] = [];

afterEach(async () => {
  await server?.close();
  server = undefined;
  idle.length = 0;
});
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const hashOf = async (device: MemoryDevice) => hashBytes(await device.readAt(0, SIZE));

async function serve({ writable = true, discards = true } = {}): Promise<MemoryDevice> {
  const device = MemoryDevice.of(randomBytes(SIZE, 7));
  server = await NbdServer.listen(writable ? device : readOnlyDevice(device), {
    socket,
    writable,
    discards,
    onIdle: (cleanly) => void idle.push(cleanly),
  });
  return device;
}

/** The server lives in this process, so its clients may not block it. */
function client(tool: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(tool, args);
  let output = '';
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

async function succeed(tool: string, ...args: string[]): Promise<string> {
  const { code, output } = await client(tool, ...args);
  if (code !== 0) throw new Error(`${tool} ended with ${code}: ${output}`);
  return output;
}

describe.skipIf(!judge('nbdinfo', 'nbdcopy', 'qemu-img', 'qemu-io'))(
  'an export, used by the clients of others',
  () => {
    it('tells its size and what it can do', async () => {
      await serve();
      const info = JSON.parse(await succeed('nbdinfo', '--json', uri)) as {
        exports: Record<string, unknown>[];
      };
      expect(info.exports[0]).toMatchObject({
        'export-size': SIZE,
        is_read_only: false,
        can_trim: true,
        can_fua: true,
      });
      expect(await succeed('nbdinfo', '--list', uri)).toContain(`export-size: ${SIZE}`);
      expect(await succeed('qemu-img', 'info', '-f', 'raw', uri)).toContain(`(${SIZE} bytes)`);
    });

    it('is read and written whole by nbdcopy, and says when the last client has said goodbye', async () => {
      const device = await serve();
      const [out, back] = [join(folder, 'out'), join(folder, 'in')];
      await succeed('nbdcopy', uri, out);
      expect(hashBytes(readFileSync(out))).toBe(await hashOf(device));
      writeFileSync(back, randomBytes(SIZE, 8));
      await succeed('nbdcopy', back, uri);
      expect(await hashOf(device)).toBe(hashBytes(readFileSync(back)));
      await expect.poll(() => idle).toEqual([true, true]);
    });

    it('takes writes, zeros and discards of any alignment from qemu', async () => {
      const device = await serve();
      await succeed(
        'qemu-io',
        '-f',
        'raw',
        '-c',
        'write -P 0xa5 1000 300001',
        '-c',
        'write -z 400000 5000',
        '-c',
        'discard 500k 64k',
        '-c',
        'flush',
        uri,
      );
      expect([...new Set(await device.readAt(1000, 300_001))]).toEqual([0xa5]);
      expect([...new Set(await device.readAt(400_000, 5000))]).toEqual([0]);
      expect([...new Set(await device.readAt(500 << 10, 64 << 10))]).toEqual([0]);
    });

    it('lets nobody write where it is read-only', async () => {
      await serve({ writable: false });
      const { code } = await client('qemu-io', '-f', 'raw', '-c', 'write 0 512', uri);
      expect(code).not.toBe(0);
      expect(await succeed('nbdinfo', uri)).toContain('is_read_only: true');
    });
  },
);

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const GREETING_BYTES = 18;
const EXPORT_NAME = Buffer.concat([u32(3), Buffer.from('IHAVEOPT'), u32(1), u32(0)]);
const request = (type: number, offset: bigint, length: number, magic = 0x25609513) =>
  Buffer.concat([
    u32(magic),
    Buffer.from([0, 0, 0, type]),
    u64(0x0123456789abcdefn),
    u64(offset),
    u32(length),
  ]);

/** Sends bytes and returns what comes back until the server hangs up, or `expected` bytes are there. */
function talk(bytes: Uint8Array, expected = Number.POSITIVE_INFINITY): Promise<Buffer> {
  return new Promise((resolve) => {
    const peer: Socket = connect(socket);
    let received = Buffer.alloc(0);
    const end = () => {
      peer.destroy();
      resolve(received);
    };
    peer.on('error', () => undefined);
    peer.on('close', end);
    peer.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= expected) end();
    });
    peer.write(bytes);
  });
}

/** Error numbers of simple replies behind the negotiation. */
const ANSWERED = GREETING_BYTES + 10;
const errorOf = (answer: Buffer) => answer.readUInt32BE(ANSWERED + 4);

describe('clients that mean no good', () => {
  it.each([
    ['flags that nobody knows', u32(0xff)],
    ['a wrong magic of an option', Buffer.concat([u32(3), Buffer.from('IHAVENOT'), u32(7), u32(0)])],
    ['an option of 4 GiB', Buffer.concat([u32(3), Buffer.from('IHAVEOPT'), u32(7), u32(0xffff_ffff)])],
    [
      'options without an end',
      Buffer.concat([
        u32(3),
        ...Array.from({ length: 100 }, () => Buffer.concat([Buffer.from('IHAVEOPT'), u32(99), u32(0)])),
      ]),
    ],
    ['a wrong magic of a request', Buffer.concat([EXPORT_NAME, request(0, 0n, 512, 0x12345678)])],
    ['a read of 4 GiB', Buffer.concat([EXPORT_NAME, request(0, 0n, 0xffff_ffff)])],
    ['a write of 4 GiB', Buffer.concat([EXPORT_NAME, request(1, 0n, 0xffff_ffff)])],
  ])('are let go after %s, and others are served all the same', async (_name, bytes) => {
    const device = await serve();
    const before = await hashOf(device);
    await talk(bytes);
    expect(await hashOf(device)).toBe(before);
    const answer = await talk(Buffer.concat([EXPORT_NAME, request(0, 8n, 16)]), ANSWERED + 32);
    expect(answer.subarray(ANSWERED + 16)).toEqual(Buffer.from(await device.readAt(8, 16)));
  });

  it.each([
    ['a read behind the end', request(0, BigInt(SIZE - 1), 2), 22],
    ['a read at 2^64 - 1', request(0, 0xffff_ffff_ffff_ffffn, 1), 22],
    ['a write behind the end', Buffer.concat([request(1, BigInt(SIZE), 4), Buffer.alloc(4)]), 28],
    ['a discard of 4 GiB', request(4, 0n, 0xffff_ffff), 28],
    ['a command that is none', request(77, 0n, 0), 22],
  ])('get an error number for %s', async (_name, bytes, error) => {
    await serve();
    expect(errorOf(await talk(Buffer.concat([EXPORT_NAME, bytes]), ANSWERED + 16))).toBe(error);
  });

  it('may go away in the middle of a write: what did not arrive is not written', async () => {
    const device = await serve();
    const before = await hashOf(device);
    const peer = connect(socket);
    peer.write(Buffer.concat([EXPORT_NAME, request(1, 0n, 100_000), Buffer.alloc(5000)]));
    let received = 0;
    // It has been let in when all of the negotiation is there.
    await new Promise<void>((resolve) => {
      peer.on('data', ({ length }) => {
        received += length;
        if (received >= ANSWERED) resolve();
      });
    });
    peer.destroy();
    await expect.poll(() => idle).toEqual([false]);
    expect(await hashOf(device)).toBe(before);
  });

  it('find a device that fails: the number for it, and the reason stays on this side', async () => {
    const device = await serve();
    await device.close();
    expect(errorOf(await talk(Buffer.concat([EXPORT_NAME, request(0, 0n, 512)]), ANSWERED + 16))).toBe(5);
    expect(server?.failure).toMatchObject({ code: 'device-closed' });
  });
});
