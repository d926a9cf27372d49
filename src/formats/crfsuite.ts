import { againstSize } from './against-size.ts'
import { hasAt, u32le } from './bytes.ts'
import { type Format, unknown } from './format.ts'

const mark = 'lCRF'
const kind = 'FOMC'

/** Taggers of CRFsuite: the header tells the file's size (crfsuite, lib/crf/src/crf1d_model.c, `header_t`). */
export const crfsuite: Format = {
  id: 'crfsuite',
  title: 'a model of CRFsuite',
  names: ['.crfsuite'],
  // The header alone.
  least: 48,
  recognises: (head) => hasAt(head, 0, mark) && hasAt(head, 8, kind),
  async judge(file) {
    if (!hasAt(file.head, 0, mark) || !hasAt(file.head, 8, kind)) return unknown('the mark of CRFsuite is not there')
    return againstSize(file.size, u32le(file.head, 4), 'its header tells that it reaches to')
  },
}
