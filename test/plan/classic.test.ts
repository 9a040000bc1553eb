import { describe, expect, it } from 'vitest';
import { MIB } from '../../src/core/units.js';
import { makePlan } from '../../src/plan/plan.js';
import type { LayoutRequest } from '../../src/plan/types.js';
import { alignRequest, diskFacts, filesystemFacts, type Part } from './layouts.js';

const ntfs = filesystemFacts('ntfs', { move: { copies: 'used' }, usedBytes: 30 * MIB });
const ext4 = filesystemFacts('ext4');
/** 255 heads of 63 sectors. */
const CYLINDER = 16_065;

/** Start, sectors and EBR of every partition in a plan. */
function places(sectors: number, parts: readonly Part[], change: Partial<LayoutRequest> = {}) {
  const plan = makePlan(diskFacts(sectors, parts), alignRequest(change));
  const after = plan.after.partitions.map(({ number, startLba, sectorCount, ebrLba }) =>
    ebrLba === null ? [number, startLba, sectorCount] : [number, startLba, sectorCount, ebrLba],
  );
  return { plan, after, moves: plan.moves.map(({ number }) => number) };
}

const refusal = (code: string) => expect.objectContaining({ family: 'refused', code });

describe('a disk of Windows before Vista, one partition at sector 63', () => {
  const whole = [{ number: 1, startLba: 63, sectorCount: 10 * CYLINDER - 63, filesystem: ntfs }];

  it('goes to 128 and ends on a boundary where the disk has room', () => {
    const { plan, after } = places(10 * CYLINDER + 2048, whole);
    expect(after).toEqual([[1, 128, 160_640]]);
    expect(plan).toMatchObject({
      status: 'change',
      savedBytes: 0,
      bytesToCopy: 30 * MIB,
      moves: [{ fromLba: 63, toLba: 128, direction: 'right', mode: 'journaled', copies: 'used' }],
    });
    expect(plan.fixups.map(({ kind }) => kind)).toEqual(['hidden-sectors', 'partition-table', 'content-id']);
    expect(plan.warnings.map(({ code }) => code)).toEqual([]);
  });

  it('goes to 2048 for a boundary of 1 MiB', () => {
    expect(places(12 * CYLINDER, whole, { boundaryBytes: MIB }).after).toEqual([[1, 2048, 161_792]]);
  });

  it('keeps its size where only that fits', () => {
    expect(places(10 * CYLINDER + 65, whole).after).toEqual([[1, 128, 10 * CYLINDER - 63]]);
  });

  it('is refused by one sector too little, with what is missing and what helps', () => {
    expect(() => places(10 * CYLINDER + 64, whole)).toThrow(refusal('no-room-at-end'));
    expect(() => places(10 * CYLINDER + 64, whole)).toThrow(/512 bytes/);
  });

  it('grows the disk to whole MiB when it may', () => {
    const { plan, after } = places(10 * CYLINDER, whole, { grow: true });
    expect(after).toEqual([[1, 128, 160_640]]);
    expect(plan.after.sizeBytes).toBe(79 * MIB);
    expect(plan.savedBytes).toBe(10 * CYLINDER * 512 - 79 * MIB);
  });

  it('is aligned to cylinders already', () => {
    expect(places(10 * CYLINDER, whole, { cylinders: true }).plan.status).toBe('nothing-to-do');
  });

  it('stays where it is when told so', () => {
    for (const change of [{ doNotAlign: [1] }, { only: [2] }]) {
      const both = [
        ...whole,
        { number: 2, startLba: 12 * CYLINDER, sectorCount: CYLINDER, filesystem: ext4 },
      ];
      const { after } = places(20 * CYLINDER, both, change);
      expect(after[0]).toEqual([1, 63, 10 * CYLINDER - 63]);
      expect(after[1]?.[1]).toBe(192_896);
    }
  });
});

describe('a disk of Windows XP with two logicals, cylinder by cylinder', () => {
  const parts: Part[] = [
    { number: 1, startLba: 63, sectorCount: 10 * CYLINDER - 63, filesystem: ntfs },
    { number: 2, kind: 'extended', startLba: 10 * CYLINDER, sectorCount: 20 * CYLINDER },
    logical(5, 10 * CYLINDER),
    logical(6, 20 * CYLINDER),
  ];

  function logical(number: number, ebrLba: number): Part {
    const sectorCount = 10 * CYLINDER - 63;
    return { number, kind: 'logical', ebrLba, startLba: ebrLba + 63, sectorCount, filesystem: ntfs };
  }

  it('packs boundary to boundary, EBRs a track before their logicals, the first one at the container', () => {
    const { after, moves } = places(31 * CYLINDER, parts);
    expect(after).toEqual([
      [1, 128, 160_640],
      [2, 160_768, 321_536],
      [5, 160_896, 160_640, 160_768],
      [6, 321_664, 160_640, 321_601],
    ]);
    // Right moves: the last one makes room first.
    expect(moves).toEqual([6, 5, 1]);
  });

  it('moves the container’s end only as far as the last logical needs', () => {
    const roomy = parts.map((part) => (part.number === 2 ? { ...part, sectorCount: 25 * CYLINDER } : part));
    const { after } = places(40 * CYLINDER, roomy);
    expect(after[1]).toEqual([2, 160_768, 35 * CYLINDER - 160_768]);
  });

  it('is aligned to cylinders already', () => {
    expect(places(30 * CYLINDER, parts, { cylinders: true }).plan.status).toBe('nothing-to-do');
  });

  it('pushes what is not to be aligned to the next cylinder', () => {
    const { after } = places(40 * CYLINDER, parts, { only: [1] });
    expect(after).toEqual([
      [1, 128, 160_640],
      [2, 160_768, 31 * CYLINDER - 160_768],
      [5, 11 * CYLINDER + 63, 10 * CYLINDER - 63, 160_768],
      [6, 21 * CYLINDER + 63, 10 * CYLINDER - 63, 21 * CYLINDER],
    ]);
  });

  it('refuses to let a logical leave the container, or a partition enter it', () => {
    const to = (number: number, startLba: number) => ({
      command: 'move-extents' as const,
      targets: [{ number, startLba, sectorCount: null, ebrLba: null }],
    });
    expect(() => places(60 * CYLINDER, parts, to(6, 20 * CYLINDER + 64))).toThrow(
      refusal('outside-extended'),
    );
    expect(() => places(60 * CYLINDER, parts, to(1, 40 * CYLINDER))).not.toThrow();
    const loose = [...parts.slice(0, 2), ...parts.slice(2, 3)];
    expect(() => places(60 * CYLINDER, loose, to(1, 20 * CYLINDER))).toThrow(refusal('overlap'));
  });

  it('takes the first EBR along when the container itself is put somewhere', () => {
    const free = parts.map((part) => (part.number === 1 ? { ...part, sectorCount: CYLINDER } : part));
    const { after, plan } = places(60 * CYLINDER, free, {
      command: 'move-extents',
      targets: [{ number: 2, startLba: 9 * CYLINDER, sectorCount: 21 * CYLINDER, ebrLba: null }],
    });
    expect(after[1]).toEqual([2, 9 * CYLINDER, 21 * CYLINDER]);
    expect(after[2]).toEqual([5, 10 * CYLINDER + 63, 10 * CYLINDER - 63, 9 * CYLINDER]);
    expect(plan.moves).toEqual([]);
  });
});

describe('disks of today', () => {
  const vista: Part[] = [
    { number: 1, startLba: 2048, sectorCount: 204_800, filesystem: ntfs },
    { number: 2, startLba: 206_848, sectorCount: 1_000_000, filesystem: ntfs },
  ];

  it.each([65_536, MIB])('have nothing to do at %i', (boundaryBytes) => {
    const { plan } = places(1_300_000, vista, { boundaryBytes });
    expect(plan).toMatchObject({ status: 'nothing-to-do', moves: [], fixups: [], bytesToCopy: 0 });
  });

  it('keep a GPT with MSR and recovery in its slots', () => {
    const parts: Part[] = [
      { number: 1, startLba: 34, sectorCount: 204_800, filesystem: filesystemFacts('fat32') },
      { number: 2, startLba: 204_834, sectorCount: 32_768 },
      { number: 3, startLba: 237_602, sectorCount: 1_000_000, filesystem: ntfs },
      { number: 4, startLba: 1_237_602, sectorCount: 1_000_000, filesystem: ntfs },
    ];
    const facts = diskFacts(2_250_000, parts, { table: 'gpt' });
    const plan = makePlan(facts, alignRequest({ boundaryBytes: MIB }));
    expect(plan.after.partitions.map(({ number, startLba, sectorCount }) => [number, startLba, sectorCount])) //
      .toEqual([
        [1, 2048, 204_800],
        // Nothing known inside: the size stays, and what follows starts on the next boundary.
        [2, 206_848, 32_768],
        [3, 239_616, 1_001_472],
        [4, 1_241_088, 1_001_472],
      ]);
    expect(plan.moves.map(({ number }) => number)).toEqual([4, 3, 2, 1]);
    expect(plan.warnings).toEqual([]);
  });

  it('start volumes with clusters above the boundary on a cluster, unless they stay', () => {
    const large = filesystemFacts('ntfs', { clusterBytes: 2 * MIB });
    const part = { number: 1, sectorCount: 500_000, filesystem: large };
    expect(places(600_000, [{ ...part, startLba: 63 }]).after[0]?.[1]).toBe(4096);
    expect(places(600_000, [{ ...part, startLba: 128 }]).plan.status).toBe('nothing-to-do');
  });

  it('need no table and no partitions', () => {
    expect(places(2048, []).plan.status).toBe('nothing-to-do');
  });
});

describe('moves', () => {
  const pair: Part[] = [
    { number: 1, startLba: 2048, sectorCount: 10_000, filesystem: ext4 },
    { number: 2, startLba: 20_480, sectorCount: 10_000, filesystem: ext4 },
  ];
  const to = (...targets: [number, number][]): Partial<LayoutRequest> => ({
    command: 'move-extents',
    targets: targets.map(([number, startLba]) => ({ number, startLba, sectorCount: null, ebrLba: null })),
  });

  it('run by start when they go left, and after what is in their way when they go right', () => {
    expect(places(60_000, pair, to([1, 64], [2, 11_000])).moves).toEqual([1, 2]);
    expect(places(60_000, pair, to([1, 20_000], [2, 40_000])).moves).toEqual([2, 1]);
    expect(places(60_000, pair, to([2, 64], [1, 10_400])).moves).toEqual([1, 2]);
  });

  it('in a circle are refused with a way out', () => {
    expect(() => places(60_000, pair, to([1, 20_480], [2, 2048]))).toThrow(refusal('circular-move'));
  });

  it.each([
    ['where the table is', to([1, 1]), 'target-reserved'],
    ['onto another', to([1, 20_000]), 'overlap'],
    ['behind the end', to([2, 50_001]), 'no-room-at-end'],
  ])('%s are refused', (_, change, code) => {
    expect(() => places(60_000, pair, change)).toThrow(refusal(code));
  });

  it('are not told to leave alignment away when a place was asked for', () => {
    const hint = 'let the disk grow with --grow, or give partition 2 an earlier place';
    const detail = expect.objectContaining({ hint });
    expect(() => places(60_000, pair, to([2, 50_001]))).toThrow(expect.objectContaining({ detail }));
  });

  it('end where an MBR ends', () => {
    const sectors = 2 ** 32 + 100_000;
    expect(() => places(sectors, pair, to([2, 2 ** 32 - 9_999]))).toThrow(refusal('mbr-limit'));
    expect(places(sectors, pair, to([2, 2 ** 32 - 10_000])).moves).toEqual([2]);
  });

  it('do not shrink what is there', () => {
    const smaller = { number: 1, startLba: 64, sectorCount: 9_999, ebrLba: null };
    expect(() => places(60_000, pair, { command: 'move-extents', targets: [smaller] })).toThrow(
      refusal('would-shrink'),
    );
  });

  it('let a distance of 16 MiB or the whole partition go without the journal', () => {
    const modes = (startLba: number, sectorCount: number, target: number) =>
      places(400_000, [{ number: 1, startLba, sectorCount, filesystem: ext4 }], to([1, target])).plan
        .moves[0];
    expect(modes(2048, 100_000, 2048 + 32_768)).toMatchObject({ mode: 'direct', windowBytes: 16 * MIB });
    expect(modes(2048, 100_000, 2048 + 32_767)).toMatchObject({ mode: 'journaled' });
    expect(modes(2048, 1_000, 3048)).toMatchObject({
      mode: 'direct',
      windowBytes: 512_000,
      copiedBy: 'program',
    });
    expect(modes(2048, 1_000, 3047)).toMatchObject({ mode: 'journaled' });
  });
});

it('has the windows of a journaled move no longer than its device likes them', () => {
  const parts: Part[] = [{ number: 1, startLba: 63, sectorCount: 100_000, filesystem: ntfs }];
  const windowOf = (windowBytes: number | null) =>
    makePlan(diskFacts(200_000, parts, { windowBytes }), alignRequest()).moves[0]?.windowBytes;
  expect(windowOf(null)).toBe(8 * MIB);
  expect(windowOf(4 * MIB)).toBe(4 * MIB);
});

describe('requests that make no sense', () => {
  const parts: Part[] = [{ number: 1, startLba: 63, sectorCount: 10_000, filesystem: ext4 }];
  const usage = (code: string) => expect.objectContaining({ family: 'usage', code });

  it.each([{ doNotAlign: [2] }, { only: [9] }, { command: 'move-extents' as const, targets: [target(7)] }])(
    'name partitions that are not there: %j',
    (change) => {
      expect(() => places(20_000, parts, change)).toThrow(usage('no-such-partition'));
    },
  );

  function target(number: number) {
    return { number, startLba: 64, sectorCount: null, ebrLba: null };
  }

  it('cut the disk', () => {
    expect(() => places(20_000, parts, { diskSizeBytes: 20_000 * 512 - 512 })).toThrow(usage('disk-size'));
  });

  it('ask for a part of a sector', () => {
    expect(() => places(20_000, parts, { diskSizeBytes: 20_000 * 512 + 1 })).toThrow(usage('disk-size'));
  });

  it.each([0, 513, 768])('align to %i bytes', (boundaryBytes) => {
    expect(() => places(20_000, parts, { boundaryBytes })).toThrow(usage('boundary'));
  });
});

describe('disks that must not be changed', () => {
  const parts: Part[] = [{ number: 1, startLba: 63, sectorCount: 10_000, filesystem: ext4 }];
  const reasons = [{ code: 'snapshot', message: 'has a snapshot', hint: 'delete it' }];

  it.each([
    ['refused', 'refused'],
    ['damaged', 'damaged'],
    ['interrupted', 'interrupted'],
  ] as const)('say why: %s', (state, family) => {
    const facts = diskFacts(20_000, parts, { state, reasons });
    expect(() => makePlan(facts, alignRequest())).toThrow(
      expect.objectContaining({ family, code: 'snapshot', detail: { hint: 'delete it' } }),
    );
    const aligned = diskFacts(20_000, [{ ...parts[0], number: 1, startLba: 128, sectorCount: 10_000 }], {
      state,
      reasons,
    });
    if (state === 'refused') expect(makePlan(aligned, alignRequest()).status).toBe('nothing-to-do');
    else expect(() => makePlan(aligned, alignRequest())).toThrow(expect.objectContaining({ family }));
  });

  it('are not called done when their partitions were not seen', () => {
    const unseen = diskFacts(20_000, [], { state: 'refused', reasons });
    expect(() => makePlan(unseen, alignRequest())).toThrow(refusal('snapshot'));
    expect(makePlan(diskFacts(20_000, []), alignRequest()).status).toBe('nothing-to-do');
  });

  it('because a volume is dirty, damaged or listed in a hybrid MBR', () => {
    const dirty = (state: 'dirty' | 'damaged') =>
      filesystemFacts('ntfs', { state, move: { blockers: [{ code: 'dirty', message: 'no', hint: 'x' }] } });
    const one = (state: 'dirty' | 'damaged') => [
      { number: 1, startLba: 63, sectorCount: 100, filesystem: dirty(state) },
    ];
    expect(() => places(20_000, one('dirty'))).toThrow(refusal('dirty'));
    expect(() => places(20_000, one('damaged'))).toThrow(expect.objectContaining({ family: 'damaged' }));
    const facts = diskFacts(20_000, [{ number: 1, startLba: 63, sectorCount: 100 }], { table: 'gpt' });
    const hybrid = { ...facts, gpt: facts.gpt && { ...facts.gpt, hybrid: [1] } };
    expect(() => makePlan(hybrid, alignRequest())).toThrow(refusal('hybrid-mbr'));
  });
});

describe('an end that is rounded up', () => {
  it('does not push a neighbour that is not to be aligned', () => {
    const parts: Part[] = [
      { number: 1, startLba: 63, sectorCount: 10_000, filesystem: ext4 },
      { number: 2, startLba: 10_130, sectorCount: 5_000, filesystem: ext4 },
    ];
    expect(places(40_000, parts, { doNotAlign: [2] }).after).toEqual([
      [1, 128, 10_000],
      [2, 10_130, 5_000],
    ]);
  });
});
