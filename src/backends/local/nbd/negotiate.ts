import type { Connection } from './connection.js';
import {
  blockSizeInfo,
  type Export,
  exportInfo,
  exportNameReply,
  FIXED_NEWSTYLE,
  greeting,
  NO_ZEROES,
  OPTION,
  OPTION_BYTES_MAX,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY,
  optionReply,
} from './protocol.js';

/** Clients ask for a handful of things; one that goes on and on is up to no good. */
const OPTIONS_MAX = 64;

/** Haggles with a client over what it wants. True when it may send requests, false when it is to be let go. */
export async function negotiate(client: Connection, exported: Export): Promise<boolean> {
  await client.send(greeting());
  const answer = await client.take(4);
  if (answer === undefined) return false;
  const flags = viewOf(answer).getUint32(0);
  if ((flags & FIXED_NEWSTYLE) === 0 || (flags & ~(FIXED_NEWSTYLE | NO_ZEROES)) !== 0) return false;
  for (let count = 0; count < OPTIONS_MAX; count++) {
    const header = await client.take(OPTION_HEADER_BYTES);
    if (header === undefined || viewOf(header).getBigUint64(0) !== OPTION_MAGIC) return false;
    const option = viewOf(header).getUint32(8);
    const length = viewOf(header).getUint32(12);
    if (length > OPTION_BYTES_MAX) return false;
    const data = await client.need(length);
    if (option === OPTION.exportName) {
      await client.send(exportNameReply(exported, (flags & NO_ZEROES) !== 0));
      return true;
    }
    const next = await answerOption(client, exported, option, data);
    if (next !== 'more') return next === 'go';
  }
  return false;
}

async function answerOption(
  client: Connection,
  exported: Export,
  option: number,
  data: Uint8Array,
): Promise<'more' | 'go' | 'stop'> {
  const reply = (type: number, content?: Uint8Array) => client.send(optionReply(option, type, content));
  switch (option) {
    case OPTION.abort:
      await reply(OPTION_REPLY.ack);
      return 'stop';
    case OPTION.list:
      if (data.length > 0) break;
      // One export without a name: 4 bytes that say so.
      await reply(OPTION_REPLY.server, new Uint8Array(4));
      await reply(OPTION_REPLY.ack);
      return 'more';
    case OPTION.info:
    case OPTION.go:
      if (!isInfoRequest(data)) break;
      await reply(OPTION_REPLY.info, exportInfo(exported));
      await reply(OPTION_REPLY.info, blockSizeInfo());
      await reply(OPTION_REPLY.ack);
      return option === OPTION.go ? 'go' : 'more';
    default:
      await reply(OPTION_REPLY.unsupported);
      return 'more';
  }
  await reply(OPTION_REPLY.invalid);
  return 'more';
}

/** u32 length of the name, the name, u16 count, that many u16. */
function isInfoRequest(data: Uint8Array): boolean {
  if (data.length < 6) return false;
  const view = viewOf(data);
  const nameLength = view.getUint32(0);
  if (nameLength > data.length - 6) return false;
  return data.length === 6 + nameLength + 2 * view.getUint16(4 + nameLength);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
