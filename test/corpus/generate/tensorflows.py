"""TensorFlow: saved models, checkpoints of both kinds, Keras 3 and its HDF5 forms, TFLite in several precisions."""

import os
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(5)


def _model(width=16):
    return keras.Sequential([
        keras.layers.Input((4,), name="input"),
        keras.layers.Dense(width, "relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(2, "softmax"),
    ])


class _Bare(tf.Module):
    """No variable: the shard is there all the same."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return x * 2


def _saved(into) -> None:
    tf.saved_model.save(_Bare(), str(into / "no-variables"))
    _model().export(str(into / "exported"), verbose=False)
    module = tf.Module()
    module.w = tf.Variable(tf.zeros((40, 30)))
    module.name_of = tf.Variable(["größe", "価格"])
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
    module.table = table
    tf.saved_model.save(module, str(into / "zeros-and-text"))


def _lite(into) -> None:
    model = _model()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    plain = converter.convert()
    (into / "float.tflite").write_bytes(plain)
    for name, kinds in {"dynamic": [], "float16": [tf.float16]}.items():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kinds:
            converter.target_spec.supported_types = kinds
        (into / f"{name}.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.ones((1, 4), "f4") * i] for i in range(4))
    (into / "int8.tflite").write_bytes(converter.convert())
    with_files = into / "labels-after.tflite"
    with_files.write_bytes(plain)
    # As the metadata library appends files to a model.
    with zipfile.ZipFile(with_files, "a") as archive:
        archive.writestr("labels.txt", "größe\nb\n")


def small(into) -> None:
    model = _model()
    model.compile("adam", "categorical_crossentropy")
    model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    model.save(into / "model.keras")
    model.save(into / "model.h5")
    model.save_weights(into / "weights.weights.h5")
    keras.saving.save_model(_model(), into / "fresh.keras", zipped=True)
    _saved(into)
    checkpoint = tf.train.Checkpoint(model=model, step=tf.Variable(3))
    (into / "checkpoint").mkdir()
    checkpoint.write(str(into / "checkpoint" / "ckpt"))
    tf.train.CheckpointManager(checkpoint, str(into / "checkpoint"), 2).save()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        a = tf.compat.v1.get_variable("a", initializer=tf.ones((9, 9)))
        tf.compat.v1.get_variable("scope/zeros", initializer=tf.zeros((50, 40)))
        session.run(tf.compat.v1.global_variables_initializer())
        (into / "version-1").mkdir()
        tf.compat.v1.train.Saver().save(session, str(into / "version-1" / "model.ckpt"), global_step=7)
        tf.compat.v1.train.Saver([a], sharded=True).save(session, str(into / "version-1" / "sharded"))
        tf.compat.v1.saved_model.simple_save(session, str(into / "version-1" / "saved"), {"a": a}, {"b": a})
        tf.io.write_graph(session.graph, str(into / "version-1"), "frozen.pb", as_text=False)
    _lite(into)


def large(into) -> None:
    model = _model(90_000)
    model.save(into / "model.keras")
    model.save(into / "model.h5")
    model.export(str(into / "exported"), verbose=False)
    (into / "float.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(_model(120_000)).convert())
