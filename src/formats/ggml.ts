import { hasAt } from './bytes.ts'
import { type Format, unknown } from './format.ts'

/** `ggml`, `ggmf`, `ggjt` and `ggla` as numbers whose lowest byte comes first. */
const marks = ['lmgg', 'fmgg', 'tjgg', 'algg']

/** What llama.cpp wrote before GGUF, and whisper.cpp still writes: where it ends depends on the kind of model, which it does not tell. */
export const ggml: Format = {
  id: 'ggml',
  title: 'a GGML file',
  names: ['.ggml', '.ggjt'],
  least: 8,
  recognises: (head) => marks.some((mark) => hasAt(head, 0, mark)),
  judge: async () => unknown('it does not tell its own length'),
}
