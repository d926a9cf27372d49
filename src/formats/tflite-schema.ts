/** What a field of a table points to; fields that hold their value themselves are not listed. */
export type Field =
  | { readonly table: Message }
  | { readonly tables: Message }
  /** Bytes of a member. */
  | { readonly vectorOf: number }
  | { readonly text: true }
  /** An offset in the file, whose length is the field behind it. */
  | { readonly outside: true }

export type Message =
  | 'model'
  | 'operatorCode'
  | 'subgraph'
  | 'tensor'
  | 'quantization'
  | 'custom'
  | 'operator'
  | 'options'
  | 'buffer'
  | 'metadata'
  | 'signature'
  | 'tensorMap'

const text = { text: true } as const
const numbers = { vectorOf: 4 } as const
const longs = { vectorOf: 8 } as const
const raw = { vectorOf: 1 } as const
const outside = { outside: true } as const

/** The tables of tensorflow/compiler/mlir/lite/schema/schema.fbs by the numbers of their fields; of operators' options the tables alone. */
export const schema: Readonly<Record<Message, Readonly<Record<number, Field>>>> = {
  model: {
    1: { tables: 'operatorCode' },
    2: { tables: 'subgraph' },
    3: text,
    4: { tables: 'buffer' },
    5: numbers, // metadata_buffer
    6: { tables: 'metadata' },
    7: { tables: 'signature' },
  },
  operatorCode: { 1: text },
  subgraph: { 0: { tables: 'tensor' }, 1: numbers, 2: numbers, 3: { tables: 'operator' }, 4: text },
  tensor: { 0: numbers, 3: text, 4: { table: 'quantization' }, 6: { table: 'options' }, 7: numbers },
  quantization: { 0: numbers, 1: numbers, 2: numbers, 3: longs, 5: { table: 'custom' } },
  custom: { 0: raw },
  operator: {
    1: numbers,
    2: numbers,
    4: { table: 'options' },
    5: raw, // custom_options
    7: raw, // mutating_variable_inputs
    8: numbers, // intermediates
    9: outside, // large_custom_options_offset
    12: { table: 'options' },
  },
  options: {},
  buffer: { 0: raw, 1: outside },
  metadata: { 0: text },
  signature: { 0: { tables: 'tensorMap' }, 1: { tables: 'tensorMap' }, 2: text },
  tensorMap: { 0: text },
}
