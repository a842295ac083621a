"""The weights that the tests fetch, and what is written and said of them."""

NAME = "test_resnet.r160_in1k"
REPOSITORY = f"timm/{NAME}"
STORED = f"https://cas-bridge.xethub.hf.co/{REPOSITORY}?X-Amz-Signature=secret-signature"
KEPT = [f".{NAME}.json", f".{NAME}.lock", f"{NAME}.safetensors"]
ELSEWHERE = "free some space, or choose another disk"


def facts(file, sha256, origin):
    return {
        "weights": NAME,
        "file": str(file),
        "sha256": sha256,
        "origin": origin,
        "licence": "apache-2.0",
    }


def refusal(place, reason, remedy, root=None):
    return (
        f"{NAME}: cannot be downloaded from hub:{REPOSITORY} ({reason}); {remedy}, or download model.safetensors from "
        f"https://huggingface.co/{REPOSITORY} by hand and save it as {root or place.root}/weights/{NAME}.safetensors"
    )


def another(file, found, recorded):
    return (
        f"{file}: its SHA-256 is {found[:12]}…, weights.lock records {recorded[:12]}…; replace it by the file that is "
        "recorded, or remove its entry from weights.lock if another version is meant"
    )
