"""DICOM files as the pictures that their headers describe; each is made here, by pydicom."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset as Header
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from weckd.data import dicom
from weckd.data.catalogue import ClassEntry, Dataset, LabelTable, Patients, SourceFolder
from weckd.data.decode import decode_image
from weckd.data.file_kinds import recognised
from weckd.data.prepare import Origin, prepare
from weckd.data.prepared import read_index
from weckd.errors import BadImageError, UserError
from weckd.files import file_digest

RAMP = np.arange(0, 4096, 273, dtype=np.uint16).reshape(4, 4)  # 0, 273, .. 4095
EIGHT = np.arange(0, 256, 17, dtype=np.uint8).reshape(4, 4)  # 0, 17, .. 255
DAMAGED = "replace it by an intact copy, or convert it to PNG"
UNPACK = "save it uncompressed, as `gdcmconv --raw` does, or convert it to PNG"


def header_of(values, syntax=ExplicitVRLittleEndian, pixels=None, **tags):
    """Return a header around values, (height, width[, 3]), of 8 or 12 bits, unless the tags say otherwise."""
    header = Header()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.SamplesPerPixel = 3 if values.shape[-1] == 3 else 1
    header.PhotometricInterpretation = "RGB" if header.SamplesPerPixel == 3 else "MONOCHROME2"
    header.Rows, header.Columns = values.shape[-3:-1] if header.SamplesPerPixel == 3 else values.shape[-2:]
    header.BitsAllocated = 8 * values.dtype.itemsize
    header.BitsStored = 12 if values.dtype.itemsize == 2 else header.BitsAllocated
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(values.dtype.kind == "i")
    if header.SamplesPerPixel == 3:
        header.PlanarConfiguration = 0
    header.PixelData = values.tobytes() if pixels is None else pixels
    for name, value in tags.items():
        setattr(header, name, value)
    return header


def write(file, values, *arguments, **tags):
    save(header_of(values, *arguments, **tags), file)
    return file


def save(header, file):
    header.save_as(file, implicit_vr=False, little_endian=True, enforce_file_format=True)


def shown(file, frame=None):
    image = decode_image(file, frame=frame).image
    assert image.mode == "RGB"
    return np.asarray(image)


def grey(file, frame=None):
    seen = shown(file, frame)
    assert (seen == seen[:, :, :1]).all()
    return seen[:, :, 0].ravel().tolist()


def refusal(file, frame=None):
    with pytest.raises(BadImageError) as refused:
        decode_image(file, frame=frame)
    assert str(refused.value).startswith(f"{file}: {refused.value.what}; ")
    return str(refused.value).removeprefix(f"{file}: ")


def test_grey_of_eight_bits_is_shown_as_it_is_and_white_is_zero_in_monochrome1(tmp_path):
    file = write(tmp_path / "a.dcm", EIGHT)
    decoded = decode_image(file)
    assert grey(file) == EIGHT.ravel().tolist()
    assert (decoded.width, decoded.height, decoded.file_sha256) == (4, 4, file_digest(file))
    write(file, EIGHT, PhotometricInterpretation="MONOCHROME1")
    assert grey(file) == (255 - EIGHT).ravel().tolist()
    write(file, EIGHT, RescaleSlope=1, RescaleIntercept=0)
    assert grey(file) == EIGHT.ravel().tolist()
    write(file, EIGHT // 2 + 64)  # nothing is stretched
    assert grey(file) == (EIGHT // 2 + 64).ravel().tolist()
    write(file, EIGHT, RescaleSlope=-2, RescaleIntercept=7)
    assert grey(file) == (255 - EIGHT).ravel().tolist()
    write(file, (EIGHT.astype(int) - 128).astype(np.int8))
    assert grey(file) == EIGHT.ravel().tolist()


def test_a_window_holds_for_rescaled_values_and_its_ends_are_black_and_white(tmp_path):
    """The formula of DICOM's part 3, C.11.2.1.2: ((x - (c - 0.5)) / (w - 1) + 0.5), from 0 to 1."""
    hounsfield = RAMP.astype(float) - 1024
    for centre, width in ((40, 401), (1024, 4096), (-600, 1500)):
        tags = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": centre, "WindowWidth": width}
        expected = np.clip((hounsfield - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
        assert grey(write(tmp_path / "a", RAMP, **tags, Modality="CT")) == np.rint(expected).ravel().tolist()
        inverse = np.rint(255 - expected).ravel()
        seen = grey(write(tmp_path / "a", RAMP, **tags, PhotometricInterpretation="MONOCHROME1"))
        assert np.abs(seen - inverse).max() <= 1, "rounding apart"


def test_the_first_of_several_windows_is_taken_and_functions_other_than_linear_are_heeded(tmp_path):
    tags = {"WindowCenter": [100, 4000], "WindowWidth": [200, 10]}
    values = np.array([[0, 50, 100, 150, 200, 4095]], dtype=np.uint16)
    exact = grey(write(tmp_path / "a", values, VOILUTFunction="LINEAR_EXACT", **tags))
    assert exact == [0, 64, 128, 191, 255, 255]
    sigmoid = grey(write(tmp_path / "a", values, VOILUTFunction="SIGMOID", **tags))
    assert sigmoid == np.rint(255 / (1 + np.exp(-4 * (values - 100.0) / 200))).ravel().tolist()


def test_a_signed_picture_of_magnetic_resonance_needs_no_rescale_where_it_has_a_window(tmp_path):
    values = np.array([[-2048, -1, 0, 2047]], dtype=np.int16)
    file = write(tmp_path / "a", values, Modality="MR", WindowCenter=0.5, WindowWidth=2)
    assert grey(file) == [0, 0, 128, 255]


def test_more_than_eight_bits_with_a_rescale_and_no_window_are_stretched_to_their_own_range(tmp_path):
    values = np.array([[1000, 1500, 2000, 3000]], dtype=np.uint16)
    assert grey(write(tmp_path / "a", values, RescaleSlope=2, RescaleIntercept=-50)) == [0, 64, 128, 255]
    assert grey(write(tmp_path / "a", values, RescaleSlope=-1, RescaleIntercept=0)) == [255, 191, 128, 0]


def table(entries, first, bits, data):
    item = Header()
    item.LUTDescriptor = [entries, first, bits]
    item.add_new("LUTData", "OW", np.array(data, dtype="<u2").tobytes())
    return [item]


def test_tables_of_values_are_heeded_and_their_ends_hold_beyond_them(tmp_path):
    """A VOI table of more than 256 entries of eight bits, which wrap around where entries are counted in a byte."""
    values = np.array([[0, 99, 100, 400, 611, 612, 4095]], dtype=np.uint16)
    halves = [number // 2 for number in range(512)]
    file = write(tmp_path / "a", values, VOILUTSequence=table(512, 100, 8, halves))
    assert grey(file) == [0, 0, 0, 150, 255, 255, 255]
    twelve = [4095 - 8 * number for number in range(512)]
    write(file, values, VOILUTSequence=table(512, 100, 12, twelve))
    assert grey(file) == [255, 255, 255, 106, 0, 0, 0]  # 255 * (1695, 7) / 4095
    modality = table(4, 0, 16, [10, 20, 20, 30])
    write(file, np.array([[0, 1, 2, 3, 9]], np.uint16), ModalityLUTSequence=modality)
    assert grey(file) == [0, 128, 128, 255, 255]


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_many_bits_without_rescale_or_window_are_refused(tmp_path, modality):
    told = (
        "a DICOM file with grey of 12 bits and neither rescale nor window: how bright it is cannot be known; "
    )
    file = write(tmp_path / "a.dcm", RAMP, Modality=modality)
    assert refusal(file) == f"{told}complete its header, or convert it to PNG"
    write(file, RAMP, BitsStored=16, HighBit=15)
    assert refusal(file) == f"{told.replace('12', '16')}complete its header, or convert it to PNG"


def test_a_window_of_hounsfield_units_without_a_rescale_is_refused(tmp_path):
    file = write(tmp_path / "a.dcm", RAMP, Modality="CT", WindowCenter=40, WindowWidth=400)
    assert refusal(file) == (
        "a DICOM file with grey of 12 bits and no rescale, which a CT has: how bright it is cannot be known; "
        "complete its header, or convert it to PNG"
    )


COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 100, 50]]], dtype=np.uint8)


def test_colours_are_those_of_the_file(tmp_path):
    file = write(tmp_path / "a", COLOURS)
    assert shown(file).tolist() == COLOURS.tolist()
    write(file, COLOURS, pixels=COLOURS.transpose(2, 0, 1).tobytes(), PlanarConfiguration=1)
    assert shown(file).tolist() == COLOURS.tolist()
    write(file, COLOURS.astype(np.uint16) * 257, BitsStored=16, HighBit=15)
    assert shown(file).tolist() == COLOURS.tolist()


def test_luma_and_chroma_become_red_green_and_blue(tmp_path):
    r, g, b = COLOURS.astype(float).transpose(2, 0, 1)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    chroma = np.stack([luma, 128 + (b - luma) / 1.772, 128 + (r - luma) / 1.402], axis=2)
    values = np.clip(np.rint(chroma), 0, 255).astype(np.uint8)
    file = write(tmp_path / "a", values, PhotometricInterpretation="YBR_FULL")
    assert np.abs(shown(file).astype(int) - COLOURS).max() <= 2
    pair = bytes([*values[0, 3, :1], *values[0, 3, :1], *values[0, 3, 1:]])  # of two pixels: Y1 Y2 Cb Cr
    write(file, COLOURS[:, 2:], pixels=pair, PhotometricInterpretation="YBR_FULL_422")
    assert np.abs(shown(file).astype(int) - COLOURS[:, 3:]).max() <= 2


def palette(entries, first, bits, red):
    tags = {}
    for colour, data in (("Red", red), ("Green", red[::-1]), ("Blue", np.zeros_like(red))):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [entries, first, bits]
        tags[f"{colour}PaletteColorLookupTableData"] = data.tobytes()
    return {"PhotometricInterpretation": "PALETTE COLOR", **tags}


@pytest.mark.parametrize(("bits", "kind", "scale"), [(8, np.uint8, 1), (16, np.uint16, 257)])
def test_palettes_are_looked_up_and_their_ends_hold_beyond_them(tmp_path, bits, kind, scale):
    red = np.array([0, 100, 200, 250], dtype=kind) * scale
    values = np.array([[0, 10, 11, 13, 14, 266]], dtype=np.uint16)  # 266 - 10 is 0 in a byte
    seen = shown(write(tmp_path / "a", values, **palette(4, 10, bits, red)))
    assert seen[0, :, 0].tolist() == [0, 0, 100, 250, 250, 250]
    assert seen[0, :, 1].tolist() == [250, 250, 200, 0, 0, 0]
    assert not seen[:, :, 2].any()


def test_a_dicom_among_files_of_other_layouts_is_told_as_what_it_is():
    told = ("a DICOM file, which is not read here", "convert it to PNG, or remove it")
    assert recognised(bytes(128) + b"DICM\2\0") == told


FRAMES = np.stack([EIGHT, EIGHT // 2, EIGHT // 3, EIGHT // 4])


def test_the_chosen_frame_of_several_is_taken(tmp_path):
    file = write(tmp_path / "a.dcm", FRAMES, NumberOfFrames=4)
    assert [grey(file, frame) for frame in ("0", "1", "3")] == [FRAMES[n].ravel().tolist() for n in (0, 1, 3)]
    assert grey(file, "middle") == FRAMES[2].ravel().tolist()
    assert grey(write(tmp_path / "b", EIGHT, NumberOfFrames=1), "3") == EIGHT.ravel().tolist()
    write(file, FRAMES[:3], NumberOfFrames=3)
    assert grey(file, "middle") == FRAMES[1].ravel().tolist()


def test_several_frames_without_a_choice_or_with_an_impossible_one_are_refused(tmp_path):
    file = write(tmp_path / "a.dcm", FRAMES, NumberOfFrames=4)
    entry = "of the data set's entry in the catalogue to"
    assert refusal(file) == (
        f"a DICOM file of 4 frames, of which none is chosen; set `frame` {entry} a number from 0, or to middle"
    )
    assert refusal(file, "4") == (
        "a DICOM file of 4 frames, numbered from 0: none is number 4; "
        f"set `frame` {entry} a smaller number, or to middle"
    )


def groups(**parts):
    """Return an item of functional groups: {sequence: {tag: value}}."""
    item = Header()
    for name, tags in parts.items():
        inner = Header()
        for tag, value in tags.items():
            setattr(inner, tag, value)
        setattr(item, name, [inner])
    return item


def test_rescale_and_window_of_the_chosen_frame_hold_where_each_frame_has_its_own(tmp_path):
    shared = groups(PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -100})
    windows = [(100, 201), (1000, 2001), (3000, 101)]
    each = [groups(FrameVOILUTSequence={"WindowCenter": c, "WindowWidth": w}) for c, w in windows]
    file = write(
        tmp_path / "a",
        np.stack([RAMP, RAMP, RAMP]),
        NumberOfFrames=3,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=each,
    )
    for number, (centre, width) in enumerate(windows):
        expected = np.clip((2.0 * RAMP - 100 - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
        assert grey(file, f"{number}") == np.rint(expected).ravel().tolist()


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGBaseline8Bit])
def test_compressed_pictures_are_read_where_the_lock_has_a_decoder(tmp_path, syntax):
    import io

    from PIL import Image

    x, y = np.meshgrid(np.arange(32), np.arange(32))
    values = (4 * (x + y)).astype(np.uint8)
    if syntax == RLELossless:
        header = header_of(values)
        header.compress(RLELossless, encoding_plugin="pydicom")
        save(header, tmp_path / "a")
    else:
        packed = io.BytesIO()
        kind = "JPEG2000" if syntax == JPEG2000Lossless else "JPEG"
        options = {"irreversible": False, "no_jp2": True} if kind == "JPEG2000" else {"quality": 95}
        Image.fromarray(values).save(packed, format=kind, **options)
        write(tmp_path / "a", values, syntax, encapsulate([packed.getvalue()]))
    near = 2 if syntax == JPEGBaseline8Bit else 0
    assert np.abs(shown(tmp_path / "a")[:, :, 0].astype(int) - values).max() <= near


def test_compressed_pictures_without_a_decoder_are_refused(tmp_path):
    packed = encapsulate([b"\xff\xd8\xff\xf7" + bytes(60)])
    file = write(tmp_path / "a.dcm", EIGHT, JPEGLSLossless, packed)
    assert refusal(file) == (
        f"a DICOM file compressed as JPEG-LS Lossless Image Compression, for which there is no decoder; {UNPACK}"
    )
    write(file, EIGHT, "1.2.840.10008.1.2.4.100", packed)
    told = "a DICOM file compressed as MPEG2 Main Profile / Main Level, for which there is no decoder"
    assert refusal(file) == f"{told}; {UNPACK}"
    write(file, EIGHT, "1.2.3.4", packed)
    told = "a DICOM file compressed in an unknown way, for which there is no decoder"
    assert refusal(file) == f"{told}; {UNPACK}"
    write(file, RAMP, JPEGExtended12Bit, packed)
    assert refusal(file) == (
        "a DICOM file compressed as JPEG Extended (Process 2 and 4) that is damaged, or of a kind that is not read; "
        f"replace it by an intact copy, or {UNPACK}"
    )


def test_a_file_cut_short_is_refused(tmp_path):
    file = write(tmp_path / "a.dcm", EIGHT)
    content = file.read_bytes()
    told = "a DICOM file that is damaged, or of a kind that is not read (ValueError)"
    file.write_bytes(content[:-3])
    assert refusal(file) == f"{told}; {DAMAGED}"
    file.write_bytes(content[:-30])
    assert refusal(file) == "a DICOM file without a picture; replace it by an intact copy, or remove it"


def test_a_rescale_or_window_that_leaves_no_grey_is_refused_without_a_warning_of_numpy(tmp_path, capfd):
    for parts in ({"RescaleSlope": 0, "RescaleIntercept": 0}, {"WindowCenter": 4, "WindowWidth": 0}):
        told = "a DICOM file that is damaged, or of a kind that is not read (ValueError)"
        assert refusal(write(tmp_path / "a.dcm", EIGHT, **parts)) == f"{told}; {DAMAGED}"
    assert capfd.readouterr().err == ""


def test_what_a_damaged_header_says_stands_in_no_message(tmp_path):
    file = write(tmp_path / "a.dcm", RAMP, WindowCenter=1, WindowWidth=123456, Modality="MR")
    file.write_bytes(file.read_bytes().replace(b"123456", b"MUSTER"))
    assert refusal(file) == (
        f"a DICOM file that is damaged, or of a kind that is not read (TypeError); {DAMAGED}"
    )


def test_a_lack_of_memory_is_no_damage_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("weckd.data.dicom._picture", lambda *_arguments: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        decode_image(write(tmp_path / "a.dcm", EIGHT))


def test_without_pydicom_a_dicom_is_refused_with_how_to_get_it_and_others_are_read(tmp_path, monkeypatch):
    file = write(tmp_path / "a.dcm", EIGHT)
    monkeypatch.delitem(sys.modules, "weckd.data.dicom")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UserError) as refused:
        decode_image(file)
    assert not isinstance(refused.value, BadImageError)
    assert str(refused.value) == (
        f"{file}: a DICOM file, which needs pydicom; "
        "install it with pip install -e '.[dicom]', or with all that the lock names: make setup"
    )


def test_pydicom_is_imported_where_a_dicom_is_read_alone():
    code = "import sys, weckd.data.layouts.class_folders; sys.exit('pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pictures_too_large_to_unfold_are_refused(tmp_path):
    file = write(tmp_path / "a.dcm", EIGHT, Rows=9000, Columns=10_000)
    told = "too large to decode (10000x9000 pixels, the limit is 80,000,000); replace it by a smaller copy"
    assert refusal(file) == told
    write(file, FRAMES, NumberOfFrames=999_999_999_999)
    assert refusal(file, "middle").endswith(DAMAGED)
    write(file, EIGHT, RLELossless, encapsulate([bytes(64) + b"\x81\0" * 5000]))  # 10 kB unfold to 640 kB
    assert refusal(file) == (
        "a DICOM file compressed as RLE Lossless, in more bytes than its pixels need; replace it by an intact copy"
    )


def test_what_is_deflated_as_a_whole_is_refused_before_it_is_inflated(tmp_path):
    file = write(tmp_path / "a.dcm", np.zeros((2000, 2000), np.uint8), DeflatedExplicitVRLittleEndian)
    assert file.stat().st_size < 20_000
    assert refusal(file) == f"a DICOM file that is deflated as a whole, which is not read; {UNPACK}"


def test_a_header_of_too_many_parts_or_bytes_is_refused(tmp_path, monkeypatch):
    shared = groups(PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -100})
    file = write(tmp_path / "a.dcm", EIGHT, SharedFunctionalGroupsSequence=[shared] * 50)
    monkeypatch.setattr(dicom, "HEADER_LIMIT", 2000)
    assert refusal(file) == (
        "a DICOM file whose header is larger than 2,000 bytes; convert it to PNG, or remove it"
    )
    header = header_of(EIGHT, SharedFunctionalGroupsSequence=[shared] * 50)
    header["SharedFunctionalGroupsSequence"].is_undefined_length = True
    save(header, file)
    monkeypatch.setattr(dicom, "PARTS_LIMIT", 300)
    assert (
        refusal(file) == "a DICOM file whose header has more than 300 parts; convert it to PNG, or remove it"
    )


def test_sequences_within_sequences_without_end_are_refused(tmp_path):
    content = write(tmp_path / "a.dcm", EIGHT).read_bytes()
    opened = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    start = content.index(b"\x08\x00\x16\x00UI")
    (tmp_path / "a.dcm").write_bytes(content[:start] + opened * 20_000 + content[start:])
    assert refusal(tmp_path / "a.dcm") == (
        f"a DICOM file that is damaged, or of a kind that is not read (RecursionError); {DAMAGED}"
    )


SCANS = Dataset(
    key="scans",
    title="Scans",
    modality="MRI",
    layout="class-folders",
    groups="near-duplicates",
    classes=(ClassEntry("tumour", "tumour", "tumour"), ClassEntry("none", "none", "none")),
    folders=(SourceFolder("", ""),),
    licence="CC0",
    source="https://doi.org/10.0/0",
)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of four scans of two patients, whose headers tell who they are."""
    for number, patient in enumerate(["H-47114711", "H-08150815", "H-47114711", ""]):
        place = tmp_path / "scans" / ("tumour" if number < 2 else "none")
        place.mkdir(parents=True, exist_ok=True)
        write(
            place / f"{number}.dcm",
            np.roll(EIGHT, 3 * number),
            PatientName="Mustermann^Erika",
            PatientID=patient,
            PatientBirthDate="19640812",
            StudyDate="20210203",
            InstitutionName="Charitas",
            SeriesInstanceUID=f"1.2.840.999.{number}",
        )
    return tmp_path / "scans"


def prepared(folder, out, chosen=SCANS, **options):
    prepare(chosen, Origin(folder, {}), 4, out, **options)
    return out


@pytest.mark.parametrize("jobs", [1, 3])
def test_patients_are_numbered_and_no_file_holds_what_the_headers_say_of_them(folder, tmp_path, capsys, jobs):
    out = prepared(folder, tmp_path / "out", jobs=jobs)
    groups = read_index(out).set_index("image_id")["given_group"].to_dict()
    assert groups == {
        "tumour/0.dcm": "p001",
        "tumour/1.dcm": "p002",
        "none/2.dcm": "p001",
        "none/3.dcm": "",
    }
    told = capsys.readouterr()
    assert told.err == (
        "[scans] 1 image of 4 without a PatientID, kept together with near-duplicates alone; "
        "name all patients with `patients` of the data set's entry in the catalogue\n"
    )
    # Numbers have eight digits: times in nanoseconds hold four by chance.
    secrets = [
        b"47114711",
        b"08150815",
        b"Mustermann",
        b"Erika",
        b"19640812",
        b"20210203",
        b"Charitas",
        b"840.999",
    ]
    content = b"".join(file.read_bytes() for file in out.iterdir()) + told.out.encode()
    assert not [secret for secret in secrets if secret in content]
    assert all(
        secret in (folder / "tumour" / "0.dcm").read_bytes() for secret in secrets if secret != b"08150815"
    )


def test_patients_whom_the_catalogue_names_come_before_those_of_the_headers(folder, tmp_path):
    (folder / "table.csv").write_text(
        "path,finding,who\ntumour/0,yes,a\ntumour/1,yes,a\nnone/2,no,b\nnone/3,no,c\n"
    )
    told = LabelTable("table.csv", "path", "finding", patient="who")
    labels = (ClassEntry("tumour", "tumour", label="yes"), ClassEntry("none", "none", label="no"))
    listed = replace(SCANS, layout="csv", groups="given", folders=(), classes=labels, table=told)
    for chosen in (listed, replace(listed, groups="suspected")):
        index = read_index(prepared(folder, tmp_path / "named", chosen))
        assert index[["image_id", "given_group"]].to_numpy().tolist() == [
            ["tumour/0", "a"],
            ["tumour/1", "a"],
            ["none/2", "b"],
            ["none/3", "c"],
        ]
    unnamed = replace(listed, groups="near-duplicates", table=replace(told, patient=None), frame="0")
    write(folder / "tumour" / "1.dcm", FRAMES, NumberOfFrames=4, PatientID="H-08150815")
    assert read_index(prepared(folder, tmp_path / "out", unnamed))["given_group"].tolist() == [
        "p001",
        "p002",
        "p001",
        "",
    ]


def test_images_that_name_no_patient_at_all_are_told(folder, tmp_path, capsys):
    for file in folder.rglob("*.dcm"):
        write(file, EIGHT, PatientID=" ")
    assert set(read_index(prepared(folder, tmp_path / "out"))["given_group"]) == {""}
    assert capsys.readouterr().err == (
        "[scans] 4 images of 4 without a PatientID, kept together with near-duplicates alone; "
        "name all patients with `patients` of the data set's entry in the catalogue\n"
    )
    named = replace(SCANS, groups="given", patients=Patients(pattern="(?P<patient>[0-9])"))
    prepared(folder, tmp_path / "named", named)
    assert capsys.readouterr().err == ""


def test_one_patient_for_all_is_refused(folder, tmp_path):
    for file in folder.rglob("*.dcm"):
        write(file, EIGHT, PatientID="ANON")
    with pytest.raises(UserError) as refused:
        prepared(folder, tmp_path / "out")
    assert str(refused.value) == (
        f"{folder}: all DICOM files have one PatientID; "
        "name the patients with `patients` of the data set's entry in the catalogue"
    )
    assert not list((tmp_path / "out").glob("*"))


def test_a_patient_in_two_official_splits_is_refused_by_number_and_first_image(folder, tmp_path):
    (folder / "train").mkdir()
    (folder / "test" / "tumour").mkdir(parents=True)
    for name in ("tumour", "none"):
        (folder / name).rename(folder / "train" / name)
    (folder / "test" / "none").mkdir()
    write(folder / "test" / "tumour" / "5.dcm", EIGHT, PatientID="H-08150815")
    write(folder / "test" / "none" / "6.dcm", EIGHT, PatientID="H-9999")
    parts = (SourceFolder("train", "train"), SourceFolder("test", "test"))
    with pytest.raises(UserError) as refused:
        prepared(folder, tmp_path / "out", replace(SCANS, folders=parts))
    assert str(refused.value) == (
        f"{folder}: has 1 patient in several official splits "
        "(the first: p002 of train/tumour/1.dcm in test and train); "
        'correct the splits, or split by patients alone (official_split: "" of the folders, no table.split)'
    )


def test_the_entry_chooses_the_frame(folder, tmp_path):
    write(folder / "tumour" / "0.dcm", FRAMES, NumberOfFrames=4)
    with pytest.raises(UserError, match=r"0\.dcm: a DICOM file of 4 frames, of which none is chosen"):
        prepared(folder, tmp_path / "out")
    out = prepared(folder, tmp_path / "out", replace(SCANS, frame="3"))
    assert np.load(out / "images.npy")[0, :, :, 0].tolist() == FRAMES[3].tolist()


def test_what_cannot_be_read_is_left_out_with_a_reason_that_tells_nothing_of_a_patient(folder, tmp_path):
    file = folder / "tumour" / "0.dcm"
    file.write_bytes(file.read_bytes()[:-5])
    out = prepared(folder, tmp_path / "out", skip_bad=True)
    assert read_index(out, left_out=True)[["image_id", "given_group", "problem"]].to_numpy().tolist() == [
        ["tumour/0.dcm", "", "a DICOM file that is damaged, or of a kind that is not read (ValueError)"]
    ]
    assert read_index(out)["given_group"].tolist() == ["p001", "p002", ""]


def test_a_series_of_mixed_sizes_is_refused(folder, tmp_path):
    for number, size in ((4, 4), (5, 8)):
        values = np.resize(EIGHT, (size, size))
        write(folder / "none" / f"{number}.dcm", values, SeriesInstanceUID="1.2.840.999.77")
    with pytest.raises(UserError) as refused:
        prepared(folder, tmp_path / "out")
    assert str(refused.value) == (
        f"{folder}: none/5.dcm has 8x8 pixels, 4x4 in none/4.dcm of the same DICOM series; "
        "move what is no picture of the series out of the folder, or convert it to PNG"
    )
    assert not list((tmp_path / "out").glob("*"))
