/** XXH32 (xxHash fast digest algorithm, 0.1.1, section "XXH32"), as lz4 frames use it. */
const [p1, p2, p3, p4, p5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1]

const turn = (value: number, by: number): number => (value << by) | (value >>> (32 - by))
const mix = (lane: number, word: number): number => Math.imul(turn((lane + Math.imul(word, p2)) | 0, 13), p1)

export const xxhash32 = (bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let sum = p5
  if (bytes.length >= 16) {
    let [a, b, c, d] = [(p1 + p2) | 0, p2 | 0, 0, -p1 | 0]
    for (; at + 16 <= bytes.length; at += 16) {
      a = mix(a, view.getUint32(at, true))
      b = mix(b, view.getUint32(at + 4, true))
      c = mix(c, view.getUint32(at + 8, true))
      d = mix(d, view.getUint32(at + 12, true))
    }
    sum = turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18)
  }
  sum = (sum + bytes.length) | 0
  for (; at + 4 <= bytes.length; at += 4) {
    sum = Math.imul(turn((sum + Math.imul(view.getUint32(at, true), p3)) | 0, 17), p4)
  }
  for (; at < bytes.length; at += 1) sum = Math.imul(turn((sum + Math.imul(bytes[at] ?? 0, p5)) | 0, 11), p1)
  sum = Math.imul(sum ^ (sum >>> 15), p2)
  sum = Math.imul(sum ^ (sum >>> 13), p3)
  return (sum ^ (sum >>> 16)) >>> 0
}
