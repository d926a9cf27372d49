/**
 * Which keys of an MLmodel name files or folders of the model, flavor by flavor: read from the modules of MLflow 3.17.2
 * (`add_flavor`, `pyfunc.add_to_model` and the `_load_model` that reads them back).
 */

/** `[*]` stands for every entry of a mapping or list. */
export interface FileKey {
  readonly key: string
  readonly needed: 'loading' | 'environment' | 'example'
  /** The value is a path on the machine that trained the model; the file lies in the model's root under its last part. */
  readonly byName?: true
  /** Each value is a word that stands for this folder and itself: `components/tokenizer`. */
  readonly inside?: string
  /** Holds only where this other key of the flavor is set. */
  readonly withKey?: string
}

const loading = (...keys: string[]): FileKey[] => keys.map((key) => ({ key, needed: 'loading' }))

/** Keys that any flavor may have (`_copy_extra_files`, `_validate_and_copy_code_paths`). */
const common: readonly FileKey[] = loading('code', 'extra_files[*].path')

const byFlavor: Readonly<Record<string, readonly FileKey[]>> = {
  // `artifacts.<name>.uri` is where the file came from and never a path of the store.
  python_function: [
    ...loading('model_path', 'python_model', 'data', 'artifacts[*].path', 'parameters_path'),
    // langchain and llama_index set it through pyfunc, too; read back by its basename.
    { key: 'model_code_path', needed: 'loading', byName: true },
    // A bare string before 2.0.
    { key: 'env', needed: 'environment' },
    { key: 'env.conda', needed: 'environment' },
    { key: 'env.virtualenv', needed: 'environment' },
  ],
  catboost: loading('data'),
  // Written by the R client.
  crate: loading('model'),
  diffusers: loading('adapter_weights'),
  dspy: loading('model_path'),
  h2o: loading('data'),
  johnsnowlabs: loading('model_data'),
  keras: loading('data'),
  langchain: [
    ...loading('model_data', 'agent_data', 'tools_data', 'agent_primitive_data', 'loader_fn', 'persist_dir'),
    { key: 'model_code_path', needed: 'loading', byName: true },
  ],
  lightgbm: loading('data'),
  onnx: loading('data'),
  openai: loading('data'),
  paddle: loading('pickled_model'),
  pmdarima: loading('data'),
  prophet: loading('data'),
  pytorch: loading('model_data', 'requirements_file.path'),
  shap: loading('serialized_explainer'),
  sklearn: loading('pickled_model'),
  spacy: loading('data'),
  spark: loading('model_data'),
  statsmodels: loading('data'),
  tensorflow: loading('data', 'saved_model_dir'),
  transformers: [
    ...loading('model_binary', 'peft_adaptor'),
    // Without a model_binary the weights stay on the hub, and so do the components unless a local base model is named.
    { key: 'components[*]', needed: 'loading', inside: 'components', withKey: 'model_binary' },
    { key: 'components[*]', needed: 'loading', inside: 'components', withKey: 'local_base_model_path' },
  ],
  xgboost: loading('data'),
}

/** Keys of `saved_input_example_info` (models/utils.py). */
export const exampleKeys: readonly FileKey[] = [
  { key: 'artifact_path', needed: 'example' },
  { key: 'serving_input_path', needed: 'example' },
]

/** The file keys of a flavor; those that all flavors share for one that is not known. */
export const fileKeysOf = (flavor: string): readonly FileKey[] => [
  ...(Object.hasOwn(byFlavor, flavor) ? (byFlavor[flavor] ?? []) : []),
  ...common,
]
