/** Where files are cut: a few bytes short, at the boundaries of parts, and at places that a seed decides. */

const MiB = 1024 ** 2
const short = [1, 2, 4, 8, 16, 64, 512]
/** The part sizes of MLflow's own uploads (10 and 100 MiB), of botocore (8), of the smallest S3 part (5), and of rclone's and the Java SDK's (16). */
const parts = [5, 8, 10, 16, 100].map((size) => size * MiB)
const least = 40

/** Numbers from 0 to 1, the same for the same seed (mulberry32, public domain). */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Sizes that a file of `size` bytes is cut to: at least 40, or all there are of a smaller file. */
export const cutsOf = (size: number): number[] => {
  const sizes = new Set<number>()
  for (const bytes of short) if (bytes < size) sizes.add(size - bytes)
  for (const part of parts) {
    const last = Math.floor((size - 1) / part)
    for (const count of [1, 2, Math.ceil(last / 2), last]) if (count > 0 && count <= last) sizes.add(count * part)
  }
  const random = seeded(size)
  const enough = Math.min(size - 1, Math.max(least, sizes.size + 30))
  while (sizes.size < enough) sizes.add(1 + Math.floor(random() * (size - 1)))
  return [...sizes].sort((a, b) => a - b)
}
