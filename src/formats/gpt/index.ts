export interface GptTable {
  readonly diskGuid: string;
}
