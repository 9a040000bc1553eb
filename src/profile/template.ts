/** What `vmreclaim profiles init` writes: a profile that is valid as it stands, with each setting explained once. */
export const PROFILE_TEMPLATE = `# yaml-language-server: $schema=profile.schema.json
# Rules for vmreclaim. Check them with: vmreclaim profiles check FILE
# Later ones win, setting by setting: built-in, defaults, guests, categories that match (in this order), categories that
# a machine is attached to by name, options of the command line. What is left out comes from the rules before.
version: 1

defaults:
  # Free space that each file system keeps: percent of its new size, and at least a size. The larger counts.
  free: { percent: 20, size: 2G }
  # Room to grow: so much a month, for so many months. "measured": as earlier scans in the history show.
  growth: { perMonth: measured, months: 6 }
  # What partitions should start on: a power of two from 4K to 16M.
  boundary: 64K
  # Smaller changes are not worth it: both have to be reached.
  worth: { size: 1G, percent: 5 }
  # What may be recommended and done.
  shrink: true
  enlarge: true
  align: true
  zero: false

guests:
  windows:
    # Partitions that neither move nor change their size: numbers, or patterns of labels.
    untouched: [System Reserved, Recovery, "WinRE*"]

categories:
  - name: web-servers
    description: Logs come in bursts
    match:
      vm: ["web*", "www*"]
      guestOs: linux
    free: { percent: 50 }

  - name: desktops
    match:
      folder: "*/desktops"
      diskSize: { min: 20G }
    free: { percent: 35 }
    doNotAlign: [1]

  - name: databases
    description: Only what is named here
    attach: [db01, db02]
    free: { size: 40G }
    shrink: false
`;
