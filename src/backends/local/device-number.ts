/**
 * Device numbers as stat tells them, packed in 64 bits: minor in bits 0-7 and 20-43, major in 8-19 and 44-63.
 * Source: makedev(3), sys/sysmacros.h of the C library.
 */
export interface DeviceNumber {
  readonly major: bigint;
  readonly minor: bigint;
}

/** Takes st_dev or st_rdev apart. */
export function deviceNumber(packed: bigint): DeviceNumber {
  return {
    major: ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n),
    minor: (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n),
  };
}
