import { readFileSync } from 'node:fs'

/** A small file that the format's own library wrote: `onnx/inline.onnx`. */
export const stored = (path: string): Buffer => readFileSync(new URL(`../../fixtures/formats/${path}`, import.meta.url))

/** Numbers as most formats write them: the lowest byte first. */
export const u32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24]
export const u64 = (n: number): number[] => [...u32(n % 2 ** 32), ...u32(Math.floor(n / 2 ** 32))]

/** Bytes from texts in latin1, lists of numbers, and bytes. */
export const joined = (...parts: readonly (string | readonly number[] | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))

/** How many of the cuts were found, and those that were not: `[]`. */
export const unflagged = ({
  broken: _,
  suspect: __,
  ...others
}: Readonly<Record<string, readonly number[]>>): number[] => Object.values(others).flat()
