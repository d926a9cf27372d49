import { type Patience, withRetry } from '../retry.ts'
import type { Store, WholeSource } from '../stores/store.ts'
import { digestRange, scratch } from './digest.ts'
import type { Transfer, Transferred } from './engine.ts'
import { otherThanSent, refuseIfChanged } from './finish.ts'
import type { Source } from './identity.ts'
import { openMeter } from './progress.ts'
import { compareWithLocal, judge, type Verdict } from './proof.ts'
import { readBack, type Verification } from './read-back.ts'

const sliceBytes = 1024 * 1024

interface Whole extends Omit<Transfer, 'source' | 'patience' | 'verification'> {
  readonly verification: Verification
  readonly source: Source
  readonly patience: Patience
  readonly putWhole: NonNullable<Store['putWhole']>
}

/**
 * One request for the whole file: nothing of a failed attempt can be reused. A time-out does not mean that the server has
 * not got it, so before each further try the stored file is looked at.
 */
export const sendWhole = async (whole: Whole): Promise<Transferred> => {
  const { source, store, path, signal, patience, ifAbsent } = whole
  const { size } = source
  const meter = openMeter(path, size, whole.onProgress)
  const body: WholeSource = {
    size,
    async *open() {
      meter.again()
      for (let at = 0; at < size; at += sliceBytes) {
        const length = Math.min(sliceBytes, size - at)
        // A fresh one each time: the connection may still hold the last slice.
        yield await source.read(new Uint8Array(length), at, length)
        meter.sent(length)
      }
      await source.confirm()
    },
  }
  const arrived = async (): Promise<boolean> => {
    const proof = await store.proof(path, signal)
    if (proof === undefined || proof.size !== size) return false
    const verdict = await compareWithLocal(source, proof, signal)
    const told =
      verdict.is === 'unknown' ? await readBack(whole.verification, { ...whole, why: verdict.why }, signal) : verdict
    // Nothing was there before, so a file of this size is the one that was sent.
    return told.is === 'equal' || (told.is === 'unknown' && ifAbsent)
  }
  let attempts = 0
  await withRetry(
    async () => {
      attempts += 1
      // What an attempt that failed has left there is this file's own; the object to be replaced is gone by then.
      if (attempts === 1) await refuseIfChanged({ store, path, signal }, whole.replaces)
      else if (await arrived()) return
      await whole.putWhole(path, body, signal)
    },
    patience,
    signal,
  )
  const { crc32 } = await digestRange(source, { offset: 0, length: size }, { md5: false, buffer: scratch(), signal })
  const proof = await store.proof(path, signal)
  const seen: Verdict =
    proof === undefined
      ? { is: 'different', why: 'the server accepted it, but does not show it' }
      : judge(proof, { size, crc32 })
  const verdict = seen.is === 'unknown' ? await readBack(whole.verification, { ...whole, why: seen.why }, signal) : seen
  if (verdict.is === 'different') throw otherThanSent(path, verdict.why)
  const verified = verdict.is === 'equal'
  return { sent: size, reused: 0, size, crc32, verified, how: verified ? verdict.how : verdict.why, from: 'whole' }
}
