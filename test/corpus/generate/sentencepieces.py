"""SentencePiece models of every algorithm."""

import io

import sentencepiece

words = ["größe", "preis", "価格", "rechnung", "modell", "lernen", "daten", "zahl", "wert", "gewicht"]
lines = [" ".join(words[(i * k) % 10] for k in range(1, 8)) for i in range(400)]


def _train(path, lines=lines, **options) -> None:
    model = io.BytesIO()
    defaults = {"vocab_size": 60, "hard_vocab_limit": False, "minloglevel": 2, "normalization_rule_name": "identity"}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **{**defaults, **options})
    path.write_bytes(model.getvalue())


def small(into) -> None:
    for kind in ("unigram", "bpe", "char", "word"):
        _train(into / f"{kind}.model", model_type=kind, **({"vocab_size": 40} if kind == "bpe" else {}))
    _train(into / "bytes.model", byte_fallback=True, vocab_size=400)
    _train(into / "symbols.spm", user_defined_symbols=["<größe>", "<mask>"], pad_id=3)
    _train(into / "tested.model", self_test_sample_size=5)
    _train(into / "rules.spiece.model", normalization_rule_name="nmt_nfkc_cf")
    _train(into / "sentencepiece.bpe.model", model_type="bpe", vocab_size=45)


def large(into) -> None:
    many = [" ".join(f"wort{(i * k) % 9973:x}gut{k}" for k in range(1, 9)) for i in range(9000)]
    _train(into / "large.model", lines=many, vocab_size=9000)
