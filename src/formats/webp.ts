import { exactBytes } from '../words.ts'
import { hasAt, u32le } from './bytes.ts'
import { broken, complete, type Format, unknown } from './format.ts'

/** `RIFF`, and the size of what follows its own four bytes; both are mandatory (WebP Container Specification). */
const headBytes = 8
const recognises = (head: Uint8Array): boolean => hasAt(head, 0, 'RIFF') && hasAt(head, headBytes, 'WEBP')

export const webp: Format = {
  id: 'webp',
  title: 'a WebP image',
  names: ['.webp'],
  // The file's header and that of one chunk.
  least: 20,
  recognises,
  judge: async ({ head, size }) => {
    if (!recognises(head)) return unknown('it does not begin as a WebP image does')
    const needs = headBytes + u32le(head, 4)
    // libwebp itself refuses a file that is shorter (`ParseRIFF` in src/dec/webp_dec.c).
    if (size < needs) return broken(`its header asks for ${exactBytes(needs)}`, needs)
    return complete('its header asks for no more than is stored')
  },
}
