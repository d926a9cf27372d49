"""PNG and JPEG as Pillow writes them."""

import io

import numpy as np
from PIL import Image, PngImagePlugin

rng = np.random.default_rng(5)
noise = rng.integers(0, 255, (40, 50, 4), dtype="u1")


def small(into) -> None:
    picture = Image.fromarray(noise, "RGBA")
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = Image.fromarray(noise[..., 0].astype("<u2") * 200) if mode == "I;16" else picture.convert(mode)
        image.save(into / f"mode-{mode.replace(';', '-').lower()}.png")
    Image.new("RGB", (900, 900)).save(into / "black.png")
    Image.new("L", (1, 1)).save(into / "one.png")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("note", "größe" * 30)
    texts.add_itxt("title", "価格", zip=True)
    picture.save(into / "texts.png", pnginfo=texts, dpi=(72, 72), compress_level=0)
    frames = [picture.rotate(90 * i) for i in range(3)]
    frames[0].save(into / "animated.png", save_all=True, append_images=frames[1:], duration=50)
    whole = (into / "mode-rgb.png").read_bytes()
    (into / "bytes-after.png").write_bytes(whole + b"more")
    (into / "zeros-after.png").write_bytes(whole + bytes(300))

    color = picture.convert("RGB")
    for name, options in {"baseline": {}, "progressive": {"progressive": True}, "best": {"quality": 100, "subsampling": 0}, "worst": {"quality": 1}, "optimized": {"optimize": True}, "restart": {"restart_marker_blocks": 2}}.items():
        color.save(into / f"{name}.jpg", **options)
    for mode in ("L", "CMYK"):
        picture.convert(mode).save(into / f"mode-{mode.lower()}.jpeg")
    exif = Image.Exif()
    exif[0x010E] = "größe"
    color.save(into / "described.jpg", exif=exif, comment=b"a comment", dpi=(300, 300))
    jpeg = io.BytesIO()
    color.save(jpeg, "JPEG")
    (into / "bytes-after.jpg").write_bytes(jpeg.getvalue() + b"\r\n")
    (into / "zeros-after.jpg").write_bytes(jpeg.getvalue() + bytes(700))
    color.save(into / "two-pictures.jpg", "MPO", save_all=True, append_images=[color.rotate(180)])
    Image.new("RGB", (900, 900)).save(into / "black.jpg")


def large(into) -> None:
    many = Image.fromarray(rng.integers(0, 255, (1700, 1900, 3), dtype="u1"))
    many.save(into / "large.png", compress_level=1)
    many.save(into / "large.jpg", quality=97)
