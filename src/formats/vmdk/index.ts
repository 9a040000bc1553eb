export interface VmdkDescriptor {
  readonly createType: string;
}
