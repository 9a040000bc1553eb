export { editVmx, type VmxEdit } from './edit.js';
export {
  MAX_VMX_BYTES,
  parseVmsd,
  parseVmx,
  type VmsdFile,
  type VmxDisk,
  type VmxFile,
  vmxRefusals,
} from './parse.js';
