import { describe, expect, it } from 'vitest';
import { crc16Register, crc32, crc32c, crc32cRegister } from '../../src/codec/checksum.js';

const CHECK_WORD = new TextEncoder().encode('123456789');

describe('checksums', () => {
  it('give the published check values', () => {
    expect(crc32(CHECK_WORD)).toBe(0xcbf43926);
    expect(crc32c(CHECK_WORD)).toBe(0xe3069283);
    // CRC-16/ARC starts from 0.
    expect(crc16Register(0, CHECK_WORD)).toBe(0xbb3d);
    // CRC-16/MODBUS is the same register started from 0xFFFF.
    expect(crc16Register(0xffff, CHECK_WORD)).toBe(0x4b37);
  });

  it('give the iSCSI test vectors (RFC 3720, B.4)', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  it('chain over any split', () => {
    const bytes = Uint8Array.from({ length: 67 }, (_, i) => (i * 37) & 0xff);
    const whole = crc32cRegister(0xffff_ffff, bytes);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const first = crc32cRegister(0xffff_ffff, bytes.subarray(0, cut));
      expect(crc32cRegister(first, bytes.subarray(cut))).toBe(whole);
    }
  });
});
