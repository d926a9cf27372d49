/** Figures in words: one spelling of sizes and times in every sentence that the tool prints. */

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** 1572864 gives "1.5 MiB"; below 1 KiB exact. */
export const bytes = (n: number): string => {
  let value = n
  let unit = 0
  while (Math.abs(value) >= 1024 && unit < binary.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2
  return `${Number(value.toFixed(digits))} ${binary[unit]}`
}

/** For limits, where one byte decides: "1 MiB (1048576 bytes)". */
export const exactBytes = (n: number): string => (n < 1024 ? `${n} bytes` : `${bytes(n)} (${n} bytes)`)

/** Milliseconds in, "350 ms", "2.5 s", "3 min 20 s", "2 h 5 min" or "3 days" out. */
export const duration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const s = ms / 1000
  if (s < 60) return `${Number(s.toFixed(1))} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`
  if (s < 172_800) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`
  return `${Math.round(s / 86_400)} days`
}

/** One argument as a POSIX shell reads it back: as it is where nothing in it means anything to the shell, else in single quotes. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** `count(1, 'file')` is "1 file", `count(3, 'file')` "3 files". */
export const count = (n: number, noun: string, plural = `${noun}s`): string => `${n} ${n === 1 ? noun : plural}`

const preRelease = /^\d+(?:\.\d+)*\.?(?:a|b|rc|dev)\d*/

/** Whether one version of a Python package comes before another, by their numbers; a pre-release comes before its release (`3.15.0rc0` before `3.15.0`). */
export const isBefore = (version: string, other: string): boolean => {
  const numbers = (text: string): number[] => (/^\d+(?:\.\d+)*/.exec(text)?.[0] ?? '').split('.').map(Number)
  const [own, its] = [numbers(version), numbers(other)]
  for (let at = 0; at < Math.max(own.length, its.length); at++) {
    const difference = (own[at] ?? 0) - (its[at] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return preRelease.test(version) && !preRelease.test(other)
}
