export {
  type DescriptorGeometry,
  type ExtentAccess,
  MAX_DESCRIPTOR_BYTES,
  NO_PARENT_CID,
  type VmdkDescriptor,
  type VmdkExtent,
} from './descriptor.js';
export { type DescriptorEdit, editDescriptor, newContentId } from './edit.js';
export { isDescriptor, parseDescriptor } from './parse.js';
export { isFlat, writeRefusals } from './policy.js';
export {
  type HostedSparseHeader,
  parseEmbeddedDescriptor,
  parseHostedSparseHeader,
  SPARSE_HEAD_BYTES,
  type SparseKind,
  sparseKind,
} from './sparse.js';
