import { bytes, count, duration } from '../words.ts'

/** What a broad scan says of itself before what the check at hand says. */
export interface Meter {
  /** A new whole begins; `total` is how many targets it has, where that is known. */
  begin(name: string, total?: number): void
  /** One target, or one section of it, was looked at. */
  looked(objects: number, bytes: number): void
  says(text: string | undefined): void
}

export const openMeter = (tell: (says: string | undefined) => void, now = () => performance.now()): Meter => {
  let name = ''
  let total: number | undefined
  let began = now()
  let done = 0
  let objects = 0
  let size = 0
  const head = (): string => {
    if (name === '') return ''
    const ms = Math.max(1, now() - began)
    const far = total === undefined ? [] : [`${done} of ${count(total, 'run or model', 'runs and models')}`]
    const left = total !== undefined && done > 0 ? [`${duration((ms / done) * (total - done))} left`] : []
    const rate = `${Math.round((objects * 1000) / ms)}/s`
    return `${name}: ${[...far, count(objects, 'object'), bytes(size), rate, ...left].join(', ')}; `
  }
  return {
    begin(what, of) {
      name = what
      total = of
      began = now()
      done = 0
      objects = 0
      size = 0
    },
    looked(n, more) {
      done += 1
      objects += n
      size += more
    },
    says: (text) => tell(text === undefined ? undefined : `${head()}${text}`),
  }
}
