/** What the disk cache recognises bytes by. */

/** First 16 bytes of SHA-256, as 32 hexadecimal digits. The bytes may be changed once this has returned its promise. */
export async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes), 0, 16);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The same of a text's UTF-8. */
export async function hashOfText(text: string): Promise<string> {
  return hashOf(new TextEncoder().encode(text));
}

/** CRC-32 as of zip and PNG (reflected polynomial 0xEDB88320), as 8 hexadecimal digits: finds every torn line. */
export function checksum(text: string): string {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, '0');
}
