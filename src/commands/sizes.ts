import { Trouble } from '../errors.ts'

const factors: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1000 ** 4,
  tib: 1024 ** 4,
  p: 1024 ** 5,
  pb: 1000 ** 5,
  pib: 1024 ** 5,
}

const wrong = (option: string, text: string, todo: string) =>
  new Trouble({ kind: 'usage', what: `cannot use ${option} ${text}`, why: 'it is not understood', todo })

/** "20GiB", "1.5g" (1024-based, as nginx), "500MB" (1000-based) or plain bytes; gives whole bytes. */
export const parseSize = (option: string, text: string): number => {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const factor = factors[(match?.[2] ?? '').toLowerCase()]
  const bytes = Math.round(Number(match?.[1]) * (factor ?? Number.NaN))
  if (Number.isSafeInteger(bytes)) return bytes
  throw wrong(option, text, 'Give a size such as 20GiB, 500MB or 1048576')
}

const times: Readonly<Record<string, number>> = {
  '': 1000,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** "60" and "60s" are seconds, "24h" hours, "7d" days; gives milliseconds. */
export const parseTime = (option: string, text: string): number => {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const ms = Number(match?.[1]) * (times[(match?.[2] ?? '').toLowerCase()] ?? Number.NaN)
  if (Number.isFinite(ms)) return ms
  throw wrong(option, text, 'Give a time such as 60s, 24h or 7d')
}
