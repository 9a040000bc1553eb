/**
 * The layers of docs/architecture.md. `may(layer, ...others)` says what a folder of src may import besides itself
 * and core; everything else is an error, and so is a cycle. Type imports count.
 */
const may = (layer, allowed, comment) => ({
  name: `${layer}-layer`,
  severity: 'error',
  comment,
  from: { path: `^src/${layer}/` },
  to: { path: '^src/', pathNot: [layer, 'core', ...allowed].map((name) => `^src/${name}(/|\\.)`) },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Take what both need out into a third module.',
      from: {},
      to: { circular: true },
    },
    may('core', [], 'core imports nothing: move the code up, or pass what it needs as an argument.'),
    may('codec', [], 'codec knows bytes, not formats: describe the structure in formats/<name>/layout.ts.'),
    may('device', [], 'Devices know no formats: wrap a device in disk/ or app/ instead.'),
    may('backends', ['device'], 'A backend offers Store and StoreFile and nothing else.'),
    may('formats', ['codec', 'device/types'], 'Formats read through Reader and return operations: no devices.'),
    may('disk', ['codec', 'device', 'formats'], 'Opening a disk knows stores and descriptors, not its content.'),
    may('boot', ['codec', 'device/types', 'formats'], 'What a guest finds by position is read through Readers: pass in facts and places.'),
    may('inspect', ['boot', 'codec', 'device', 'disk', 'formats'], 'Inspect makes facts; plans are made of facts.'),
    may('plan', ['boot/reference', 'boot/types', 'formats', 'inspect', 'disk/types'], 'The planner is pure: put what it needs into DiskFacts.'),
    may('program', ['boot', 'device', 'disk', 'formats', 'inspect', 'plan'], 'The compiler ends where execution begins.'),
    may(
      'execute',
      ['codec', 'device', 'disk/names', 'inspect/types', 'plan/types', 'program'],
      'law: the executor imports no format. Compile what it needs into the program.',
    ),
    may('tools', ['backends', 'device', 'formats'], 'Outside programs get a view of one volume: what they wrote goes back as steps.'),
    may('host', [], 'A host is asked through a HostShell or a runner: it opens no connection and no file itself.'),
    may('verify', ['device', 'inspect', 'plan'], 'Verify compares a promise with facts.'),
    may('profile', ['inspect', 'plan'], 'Rules take a Subject and return numbers: pass in what they need to know.'),
    may('history', ['codec'], 'Records are values and lines of text: files are the business of cli.'),
    may('schedule', [], 'A job is a value, and what is written for it is text: files and programs are the business of cli.'),
    may('report', ['history', 'inspect', 'plan', 'profile'], 'Renderers take values: pass them in.'),
    may('app', ['backends', 'boot/types', 'device', 'disk', 'execute', 'formats', 'history', 'host', 'inspect', 'plan', 'profile', 'program', 'report', 'tools', 'verify'], 'A use case knows no terminal: use Services.'),
    may('cli', ['app', 'boot/types', 'history', 'inspect/types', 'plan', 'profile', 'report', 'schedule'], 'The command line calls app and renders with report.'),
    {
      name: 'formats-apart',
      severity: 'error',
      comment: 'One format never imports another: put the shared rule beside them in src/formats/.',
      from: { path: '^src/formats/([^/]+)/' },
      to: { path: '^src/formats/[^/]+/', pathNot: '^src/formats/$1/' },
    },
    {
      name: 'backends-apart',
      severity: 'error',
      comment: 'One backend never imports another.',
      from: { path: '^src/backends/([^/]+)/' },
      to: { path: '^src/backends/[^/]+/', pathNot: '^src/backends/$1/' },
    },
    {
      name: 'pure-layers',
      severity: 'error',
      comment: 'No node: module here: take a Reader, or an argument. Only codec may use node:zlib, for CRC-32.',
      from: { path: '^src/(core|codec|formats|device|disk|boot|inspect|plan|program|execute|tools|host|verify|profile|history|schedule|report|app)/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?zlib$' },
    },
    {
      name: 'zlib-in-codec-only',
      severity: 'error',
      comment: 'Use codec/checksum.ts.',
      from: { path: '^src/', pathNot: '^src/codec/' },
      to: { path: '^(node:)?zlib$' },
    },
    {
      name: 'talk-in-cli-only',
      severity: 'error',
      comment: 'commander and ora belong to the command line.',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: 'node_modules/(commander|ora)/' },
    },
    {
      name: 'tests-outside',
      severity: 'error',
      comment: 'The product never imports its tests.',
      from: { path: '^(src|bin)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    // dist/ holds the same modules, bundled: chunks are no layers.
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};
