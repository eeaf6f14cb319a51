"""The errors that catdog raises on purpose. A surface defines its own, such as TooManyFiles, beside its code.

CatDogError                          base of all; has `code` and `status`
├── InvalidImage (ValueError)        the bytes are not a photo, or a damaged one
├── ImageTooLarge (ValueError)       more bytes or pixels than the settings allow
├── AddressRefused (ValueError)      a photo's address that is not fetched, such as one of a private network
├── NotFetched (RuntimeError)        a photo's address does not give a photo
├── UnknownModel (LookupError)       no model of that name is loaded
├── InvalidSettings (ValueError)     an environment variable or argument is not valid
├── ModelMismatch (ValueError)       a spec is not valid, or a model file does not fit it
├── ModelUnavailable (RuntimeError)  no usable model could be found or fetched
├── NotConverted (RuntimeError)      a model cannot run on the engine that was asked for
│   └── DifferentAnswers (RuntimeError)  its conversion gives other answers than Keras
├── Busy (RuntimeError)              more photos at once than the settings allow
├── OutOfMemory (RuntimeError)       there is too little memory for this photo now
├── NoWorker (RuntimeError)          the processes that decode photos do not start
├── FolderLost (RuntimeError)        a folder of photos disappeared while it was read
├── NotWritten (RuntimeError)        results cannot be written to their file
└── Unforeseen (RuntimeError)        a fault in catdog or in a model; the log says more

A message says in a sentence or two what is wrong, what was received, and what to do.
"""


class CatDogError(Exception):
    """Base of all errors of this package.

    `code` is the machine-readable name used in JSON errors, `status` the HTTP status that fits.
    """

    code = "error"
    status = 500

    def to_dict(self) -> dict[str, str]:
        """The `error` object of every JSON answer: its code and its message."""
        return {"code": self.code, "message": str(self)}


class InvalidImage(CatDogError, ValueError):
    code = "invalid_image"
    status = 422


class ImageTooLarge(CatDogError, ValueError):
    code = "image_too_large"
    status = 413


class AddressRefused(CatDogError, ValueError):
    code = "address_refused"
    status = 422


class NotFetched(CatDogError, RuntimeError):
    code = "not_fetched"
    status = 424


class UnknownModel(CatDogError, LookupError):
    code = "unknown_model"
    status = 404


class InvalidSettings(CatDogError, ValueError):
    code = "invalid_settings"


class ModelMismatch(CatDogError, ValueError):
    code = "model_mismatch"
    status = 503


class ModelUnavailable(CatDogError, RuntimeError):
    code = "model_unavailable"
    status = 503


class NotConverted(CatDogError, RuntimeError):
    code = "not_converted"
    status = 503


class DifferentAnswers(NotConverted):
    code = "different_answers"


class Busy(CatDogError, RuntimeError):
    code = "busy"
    status = 429


class OutOfMemory(CatDogError, RuntimeError):
    code = "out_of_memory"
    status = 503


class NoWorker(CatDogError, RuntimeError):
    code = "no_worker"


class FolderLost(CatDogError, RuntimeError):
    code = "folder_lost"


class NotWritten(CatDogError, RuntimeError):
    code = "not_written"


class Unforeseen(CatDogError, RuntimeError):
    code = "internal_error"
