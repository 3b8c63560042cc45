"""What Ascend's tools read and write, apart from any direction of conversion: operators, files, integer arithmetic."""
